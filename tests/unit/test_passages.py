"""What the model is given of the finds: in which order, in which words, and what is dropped when it does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nix_trinity.answering.passages import given_notes, note_text, option_line, passages
from nix_trinity.answering.prompt import Budget, Situation, Turn, build_prompt
from nix_trinity.answering.retriever.features import Ranked
from nix_trinity.answering.retriever.query import Query, Term
from nix_trinity.answering.retriever.retrieve import Retrieved
from nix_trinity.errors import RequestError
from nix_trinity.knowledge.corpus.finds import Found
from nix_trinity.knowledge.options import Option
from nix_trinity.tokens import most_tokens

MARKER = "data-0123456789ab"


def option(name: str, kind: str = "boolean", default: str = "", example: str = "", description: str = "") -> Ranked:
    path = tuple(name.split("."))
    made = Option(name=name, path=path, type=kind, default=default, example=example, description=description)
    return Ranked(made, 1.0, {})


def note(title: str, body: str = "Text.", kind: str = "note") -> Found:
    return Found(len(title), kind, title, "", body, (), f"{title}.md", 9.0)


def found(*, likely: float = 0.9, pasted: str = "", options: int = 14, notes: int = 3, manual: int = 2) -> Retrieved:
    return Retrieved(
        Query((), (), False, False, "en", pasted),
        tuple(option(f"services.s{number}.enable") for number in range(options)),
        tuple(note(f"note {number}") for number in range(notes)),
        tuple(note(f"manual {number}", kind="manual") for number in range(manual)),
        likely,
    )


def heads(texts: list[str]) -> list[str]:
    """The option or title that each passage is of."""
    return [text.removeprefix("- ").split(" (")[0].split("\n")[0].removesuffix(".enable") for text in texts]


def test_options_lead_and_the_best_note_stands_among_them() -> None:
    options = [f"services.s{number}" for number in range(5)]
    assert heads(passages(found(likely=0.4))) == [*options[:4], "note 0", *options[4:], "manual 0"]


def test_beside_options_that_surely_answer_only_a_note_that_is_asked_for_stands() -> None:
    assert "note 0" not in heads(passages(found()))
    asked = Query((Term("bluetooth"),), (), False, False, "en", "")
    by_title = replace(found(), query=asked, notes=(note("Bluetooth"), note("Install fonts")))
    assert "Bluetooth" in heads(passages(by_title))
    assert "Install fonts" not in heads(passages(by_title))


def test_after_an_error_its_note_leads() -> None:
    order = heads(passages(found(pasted="error: oops")))
    assert order == ["note 0", *(f"services.s{number}" for number in range(4)), "note 1", "manual 0"]


def test_past_answers_stand_between_the_best_options_and_the_notes() -> None:
    past = [note("How do I do it", "Like this.", kind="past")]
    texts = passages(found(likely=0.4), past)
    assert texts[4] == "Asked here before: How do I do it\nThe answer that was accepted:\nLike this."
    assert heads(texts)[5] == "note 0"
    assert given_notes(found(), past)[-1] == past[0]


def test_options_of_which_none_is_likely_are_not_given() -> None:
    assert heads(passages(found(likely=0.1))) == ["note 0", "manual 0"]


def test_nothing_found_gives_nothing() -> None:
    assert passages(found(options=0, notes=0, manual=0, likely=0.0)) == []
    assert passages(found(pasted="error: oops", notes=0, manual=0, options=0, likely=0)) == []
    assert given_notes(None) == []


def test_the_notes_told_as_given_are_those_in_the_passages() -> None:
    for retrieved in (found(), found(pasted="error: oops"), found(likely=0.1), found(manual=0), found(notes=0)):
        told = {one.title for one in given_notes(retrieved)}
        assert told == {head for head in heads(passages(retrieved)) if not head.startswith("services.")}


def test_an_option_is_one_line_with_what_can_be_set() -> None:
    line = option_line(
        option(
            "services.x.ports",
            kind="list of port",
            default="[ ]",
            example="[ 80\n  443 ]",
            description="Ports to {command}`listen` on. More is said later.",
        )
    )
    assert line == "- services.x.ports (list of port; default [ ]; for example [ 80 443 ]): Ports to `listen` on."
    assert option_line(option("a.b")) == "- a.b (boolean): "


def test_what_is_too_long_in_an_option_is_cut() -> None:
    long = option("a.b", kind="t" * 17_000, default="d" * 17_000, example="e" * 17_000, description="x" * 17_000)
    line = option_line(long)
    assert len(line) < 400
    assert line.count("…") == 3


def test_a_long_note_is_cut_between_its_paragraphs_and_never_in_code() -> None:
    code = "```nix\n{\n\n  a.b = 1;\n}\n```"
    body = f"Do this.\n\n{code}\n\nThen that.\n\n{'More. ' * 100}"
    assert note_text(note("How", body), 60) == f"How\nDo this.\n\n{code}\n\nThen that.\n\n…"
    assert note_text(note("How", body), 10) == "How\nDo this.\n\n…"
    assert note_text(note("How", "```a\n" * 50_000), 700).startswith("How\n```a")


def test_a_note_is_given_whole_without_the_manuals_marks() -> None:
    text = note_text(note("Firewall", "Set {option}`a.b`.\n\n```nix\n{ a.b = 1; } # {#x}\n```\n"), 2_000)
    assert text == "Firewall\nSet `a.b`.\n\n```nix\n{ a.b = 1; } # {#x}\n```"


def prompt(given: list[str], *, room: int, attachment: str = "", history: tuple[Turn, ...] = ()) -> str:
    made = build_prompt(
        "How do I do it?",
        attachment=attachment,
        situation=Situation(None, None, None),
        history=history,
        budget=Budget(num_ctx=8_192, prefix=0, answer=7_372 - room, history=1_000, passages=8_000),
        marker=MARKER,
        passages=given,
    )
    return made.messages[-1].content


@pytest.mark.parametrize("room", range(60, 900, 60))
def test_passages_are_whole_or_dropped_the_lowest_first(room: int) -> None:
    given = [f"<{number}> {'word ' * 20}</{number}>" for number in range(10)]
    text = prompt(given, room=room)
    kept = [number for number in range(10) if f"<{number}>" in text]
    assert kept == list(range(len(kept)))
    assert all(given[number] in text for number in kept)
    assert text.endswith("How do I do it?")
    assert most_tokens(text) <= room


def test_more_room_gives_more_passages() -> None:
    given = [f"<{number}> {'word ' * 20}</{number}>" for number in range(10)]
    kept = [sum(f"<{number}>" in prompt(given, room=room) for number in range(10)) for room in (60, 300, 600, 900)]
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (0, 10)
    assert 0 < kept[1] < 10


def test_a_long_passage_does_not_let_a_lower_one_pass() -> None:
    text = prompt(["first", "second " * 2_000, "third"], room=600)
    assert "first" in text
    assert "second" not in text
    assert "third" not in text


def test_the_attachment_keeps_its_share() -> None:
    given = [f"<{number}> {'word ' * 20}</{number}>" for number in range(50)]
    log = "".join(f"line {number} of the log\n" for number in range(400))
    text = prompt(given, room=1_500, attachment=log)
    attached = text[text.index("[Attached text") :]
    assert "line 0 of the log" in attached
    assert "line 399 of the log" in attached
    assert most_tokens(attached) > 0.3 * 1_500
    assert "<0>" in text
    assert most_tokens(text) <= 1_500


def test_without_room_there_is_an_error_and_no_cut_question() -> None:
    with pytest.raises(RequestError) as caught:
        prompt([], room=2)
    assert caught.value.stable_code == "question_too_long"
