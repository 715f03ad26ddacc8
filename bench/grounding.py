"""``make bench-grounding``: what grounding and checking make of one and the same small model.

For each question: the model alone, the model with the passages of the search pasted in, and the whole daemon. Counted
are answers that name a right option, and answers with an option name that does not exist and is not marked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.corpora import Labelled, held_out_questions, indexed, is_right, own_questions, retriever
from nix_trinity.answering.passages import passages
from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.release import Segmenter
from nix_trinity.answering.verifier.renamed import Renames, load_renamed
from nix_trinity.knowledge.option_tree import OptionTree
from tests.stack import chat_model, ollama_binary
from tests.stack.daemon_process import BIN, ActivatedDaemon
from tests.stack.server import OllamaServer

MODEL = "smollm2:135m"
ANSWER_TOKENS = 160
NUM_CTX = 4096
_NAMES = {"unknown_option", "renamed_option", "removed_option"}


@dataclass
class Tally:
    """What the answers of one way of asking came to."""

    right: list[bool] = field(default_factory=list)
    invented: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def line(self) -> str:
        count = len(self.right)
        return (
            f"names a right option {sum(self.right) / count:4.0%}   has an unmarked invented name "
            f"{sum(self.invented):3} of {count}   median {statistics.median(self.seconds):.1f} s"
        )


class Checker:
    """Looks at a finished answer with eyes of its own: the text as a person sees it."""

    def __init__(self, tree: OptionTree, known: frozenset[str]) -> None:
        self._verifier = Verifier(tree, Renames(load_renamed()), "")
        self._known = known

    def names_right(self, text: str, question: Labelled) -> bool:
        right = frozenset((*question.expected_options, *question.accept_also))
        if any(name in text for name in right):
            return True
        segmenter = Segmenter()
        named = {
            name
            for segment in (*segmenter.feed(text), *segmenter.flush())
            for name in self._verifier.check(segment).names_ok
        }
        return any(is_right(name, right, self._known) for name in named)

    def has_invented(self, text: str) -> bool:
        segmenter, before = Segmenter(), ""
        for segment in (*segmenter.feed(text), *segmenter.flush()):
            for finding in self._verifier.check(segment, before).findings:
                rest_of_line = segment.text[finding.at :].split("\n", 1)[0]
                if finding.kind in _NAMES and "⚠" not in rest_of_line and "⚠" not in segment.text[: finding.at][-160:]:
                    return True
            before += segment.text
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.grounding", description=__doc__)
    parser.add_argument("--own", type=int, default=0, metavar="N", help="ask the first N own questions too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(_measure(folder, given.own))


async def _measure(folder: Path, own: int) -> None:
    binary, gguf = ollama_binary.obtain(), chat_model.obtain().gguf
    search = retriever()
    (folder / "index").mkdir()
    async with indexed(folder / "index") as corpus:
        options = await corpus.read(lambda index: index.all_options())
        checker = Checker(OptionTree(options), frozenset(option.name for option in options))
        sets = [("held-out questions", [q for q in held_out_questions() if q.expected_options])]
        if own:
            sets.append(("own questions", [q for q in own_questions() if q.expected_options][:own]))
        with OllamaServer(binary) as server:
            server.create_from_gguf(MODEL, gguf)
            config = f"[answering]\nanswer_tokens = {ANSWER_TOKENS}"
            (folder / "daemon").mkdir()
            with ActivatedDaemon(
                folder / "daemon",
                ollama_url=server.url,
                model=MODEL,
                config=config,
                options=folder / "index" / "nixos-options.json",
            ) as daemon:
                for title, questions in sets:
                    pasted = {}
                    for question in questions:
                        found = await corpus.read(
                            lambda index, question=question: search.retrieve(index, question.question)  # type: ignore[misc]
                        )
                        pasted[question.id] = "\n\n".join(passages(found)[:6])
                    _report(title, questions, pasted, server.url, daemon, checker)


def _report(
    title: str,
    questions: Sequence[Labelled],
    pasted: dict[str, str],
    url: str,
    daemon: ActivatedDaemon,
    checker: Checker,
) -> None:
    ways = {"model alone": Tally(), "with passages": Tally(), "whole daemon": Tally()}
    verdicts: dict[str, int] = {}
    for question in questions:
        for way, tally in ways.items():
            began = time.perf_counter()
            if way == "whole daemon":
                text, verdict = _asked(daemon, question.question)
                verdicts[verdict] = verdicts.get(verdict, 0) + 1
            elif way == "model alone":
                text = _chat(url, question.question)
            else:
                text = _chat(url, f"{pasted[question.id]}\n\nAnswer this question about NixOS:\n{question.question}")
            tally.seconds.append(time.perf_counter() - began)
            tally.right.append(checker.names_right(text, question))
            tally.invented.append(checker.has_invented(text))
    print(f"\n{title}: {len(questions)} that have options, {MODEL}, at most {ANSWER_TOKENS} tokens")
    for way, tally in ways.items():
        print(f"  {way:14} {tally.line()}")
    print("  verdicts:", ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items())), flush=True)


def _asked(daemon: ActivatedDaemon, question: str) -> tuple[str, str]:
    done = subprocess.run(
        [str(BIN / "ask-nix-guru"), "--json", "--no-log", "--", question],
        env=daemon.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    reply = json.loads(done.stdout)
    if "error" in reply:
        raise SystemExit(f"the daemon refused: {reply['error']}")
    return reply["answer"], reply["verdict"]


def _chat(url: str, text: str) -> str:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": text}],
        "stream": False,
        "options": {"num_ctx": NUM_CTX, "num_predict": ANSWER_TOKENS, "temperature": 0.2},
    }
    request = urllib.request.Request(f"{url}/api/chat", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as reply:
        answer: str = json.load(reply)["message"]["content"]
    return answer


if __name__ == "__main__":
    main()
