"""Status and history in words for a terminal, made here so that the thin client need not."""

from __future__ import annotations

import time

from nix_trinity.api.messages import ExchangeReply, StatusReply
from nix_trinity.knowledge.exchanges import Exchange

_QUESTION_SHOWN = 70


def status_text(status: StatusReply) -> str:
    """What ``nix-trinity status`` shows."""
    engine = status.engine
    reach = {True: f"answers, version {engine.version}", False: "does not answer", None: "not asked yet"}
    log = status.logging
    kept = f", {log.exchanges} exchanges, {_size(log.size_bytes)}" if log.exchanges is not None else ""
    lines = [
        f"nix-trinityd {status.version}, process {status.pid}, up {_span(status.uptime_seconds)}"
        + (f", exits after {_span(status.idle_timeout_seconds)} idle" if status.activated else ""),
        f"NixOS      {status.nixos_release or 'not on this machine'}",
        f"engine     {engine.kind} at {engine.url}: {reach[engine.reachable]}",
        f"tier       {status.tier} ({status.ram_gib:.1f} GiB of memory)",
        f"questions  {status.queue.running} of {status.queue.max_running} running, "
        f"{status.queue.waiting} of {status.queue.max_waiting} waiting",
        f"logging    {log.state}{f' ({log.reason})' if log.reason else ''}: {log.path}{kept}",
        *(
            f"{role.role:<10} {role.model} on {role.base}, {role.num_ctx} tokens: {role.state}"
            + (f" {role.version}" if role.version else "")
            for role in status.roles
        ),
    ]
    hints = dict.fromkeys(hint for hint in (engine.error, *(role.hint for role in status.roles)) if hint)
    return "\n".join([*lines, *(f"! {hint}" for hint in hints)]) + "\n"


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
    ]
    for entry in reply.feedback:
        lines += ["", f"{entry.verdict} ({_when(entry.given_at_ms)}, user id {entry.uid})"]
        lines += [entry.correction] if entry.correction else []
    return "\n".join(lines) + "\n"


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
