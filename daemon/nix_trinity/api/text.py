"""Status and history in words for a terminal, made here so that the thin client need not."""

from __future__ import annotations

import time

import msgspec

from nix_trinity.answering.question import Source
from nix_trinity.api.messages import ExchangeReply, OptionsReply
from nix_trinity.api.status_messages import CorpusStatus, EngineStatus, LearningStatus, StatusReply
from nix_trinity.knowledge.exchanges import Exchange
from nix_trinity.knowledge.packs import Pack

_QUESTION_SHOWN = 70


def status_text(status: StatusReply) -> str:
    """What ``nix-trinity status`` shows."""
    log = status.logging
    kept = f", {log.exchanges} exchanges, {_size(log.size_bytes)}" if log.exchanges is not None else ""
    lines = [
        f"nix-trinityd {status.version}, process {status.pid}, up {_span(status.uptime_seconds)}"
        + (f", exits after {_span(status.idle_timeout_seconds)} idle" if status.activated else ""),
        f"NixOS      {status.nixos_release or 'not on this machine'}",
        *(_engine(engine, alone=len(status.engines) == 1) for engine in status.engines),
        f"tier       {status.tier} ({status.ram_gib:.1f} GiB of memory)",
        f"questions  {status.queue.running} of {status.queue.max_running} running, "
        f"{status.queue.waiting} of {status.queue.max_waiting} waiting",
        f"logging    {log.state}{f' ({log.reason})' if log.reason else ''}: {log.path}{kept}",
        f"options    {_corpus(status.corpus)}",
        *(
            f"pack       {Pack(one.name, one.revision, one.licence).label}: {one.notes} notes, {one.exchanges} exchanges"
            for one in status.corpus.packs
        ),
        *(
            f"{role.role:<10} {role.model} on {role.base}, {role.num_ctx} tokens: {role.state}"
            + (f" {role.version}" if role.version else "")
            for role in status.roles
        ),
        *_builds(status.learning),
    ]
    vectors = status.corpus.vectors.problem if status.corpus.vectors else None
    problems = (
        *(engine.error for engine in status.engines),
        *status.corpus.problems,
        vectors,
        *(role.hint for role in status.roles),
    )
    hints = dict.fromkeys(problem for problem in problems if problem)
    return "\n".join([*lines, *(f"! {hint}" for hint in hints)]) + "\n"


def _engine(engine: EngineStatus, *, alone: bool) -> str:
    if engine.kind == "off":
        return "engine     off: the search alone answers"
    version = f", version {engine.version}" if engine.version else ""
    reach = {True: f"answers{version}", False: "does not answer", None: "not asked yet"}[engine.reachable]
    for_whom = "" if alone else f" for {', '.join(engine.roles) or 'no role'}"
    reloads = f", {engine.reloads} times a model had to be loaded again" if engine.reloads else ""
    return f"engine     {engine.kind} at {engine.url}{for_whom}: {reach}{reloads}"


def _builds(learning: LearningStatus | None) -> list[str]:
    if learning is None:
        return []
    told = [f"{learning.running} is running"] if learning.running is not None else []
    told += [f"last {kind} {at[:10]}" for kind, at in learning.last_success.items()]
    told += [f"next {kind} {at[:16].replace('T', ' ')} UTC" for kind, at in learning.next.items()]
    return [f"builds     {', '.join(told)}"] if told else []


def _corpus(corpus: CorpusStatus) -> str:
    if corpus.state == "indexing":
        return "being indexed"
    if corpus.state == "missing":
        return f"none, so answers cannot be checked; {corpus.notes} notes"
    manual = f", {corpus.manual_passages} passages of the manual" if corpus.manual_passages else ""
    vectors = f", vectors for {corpus.vectors.done} of {corpus.vectors.all}" if corpus.vectors else ""
    return f"{corpus.options} of NixOS {corpus.release or '(release unknown)'}, {corpus.notes} notes{manual}{vectors}"


def options_text(found: OptionsReply) -> str:
    """What ``nix-trinity options`` shows."""
    lines = []
    if not found.confident:
        lines += ["Nothing here clearly fits; the nearest:", ""]
    for one in found.options:
        about = one.type + (f", default {_shortened(one.default)}" if one.default else "")
        lines += [one.name, f"    {_shortened(about)}", f"    {_shortened(' '.join(one.description.split()))}"]
    if found.notes:
        lines += ["", "Notes:", *(f"    {note.title} ({note.where})" for note in found.notes)]
    return "\n".join(lines) + "\n"


def history_text(exchanges: tuple[Exchange, ...]) -> str:
    """What ``nix-trinity history`` shows: newest first, a line each."""
    if not exchanges:
        return "No exchanges are kept yet.\n"
    return "".join(
        f"{e.id}  {_when(e.asked_at_ms)}  {e.role or '-':<8} {e.outcome:<9} {_shortened(e.question)}\n"
        for e in exchanges
    )


def exchange_text(reply: ExchangeReply) -> str:
    """What ``nix-trinity show`` shows."""
    e = reply.exchange
    lines = [
        f"{e.id}  {_when(e.asked_at_ms)}  session {e.session}  {e.outcome}"
        + (f" ({e.error_code})" if e.error_code else ""),
        f"{e.role} ({e.role_reason}), {e.model or 'no model'} {e.model_version or ''}".rstrip(),
        "",
        f"Q: {e.question}",
        *([f"   with {len(e.attachment)} characters of attached text"] if e.attachment else []),
        "",
        e.answer or "(no answer)",
        *(["", verdict_line(e)] if e.verdict else []),
    ]
    for entry in reply.feedback:
        lines += ["", f"{entry.verdict} ({_when(entry.given_at_ms)}, user id {entry.uid})"]
        lines += [entry.correction] if entry.correction else []
    return "\n".join(lines) + "\n"


def verdict_line(exchange: Exchange) -> str:
    """The verdict, the release and the sources in one line."""
    sources = msgspec.json.decode(exchange.sources, type=list[Source])
    of = f" by the options of NixOS {exchange.options_release}" if exchange.options_release else ""
    named = ", ".join(f"{source.name} ({source.where})" if source.where else source.name for source in sources)
    return f"{exchange.verdict}{of}" + (f"; sources: {named}" if named else "")


def _when(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUESTION_SHOWN else f"{line[: _QUESTION_SHOWN - 1]}…"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
