from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nix_trinity.answering.verifier.release import Segment, Segmenter
from tests.data.verifier.support import cut

ANSWER = """# Heading with `code`
Use `services.openssh.enable = true; foo. Bar` and e.g. services.openssh.enable. Then 1.5 is fine! Really?
- item one
- item two has `x`.
1. first thing
2. second. More here
   ```nix
   a = 1;
   ```
Hard wrapped
paragraph goes on here. And set `fileSystems."/a. b".device`.

| a | b |
```bash
echo "x. y"
```
日本語です。次の文。 End
"""
MARKDOWN = st.text(alphabet='ab.`~\n -*#>1"|。 !…x', max_size=120) | st.lists(
    st.sampled_from(
        ["```nix\n", "```\n", "a = 1;\n", "Word. ", "`x. y`", "- ", "\n\n", "~~~\n", '."a. b"', "services.x.y "]
    )
).map("".join)


def texts(segments: list[Segment]) -> list[str]:
    return [segment.text for segment in segments]


def fed(text: str, sizes: list[int]) -> list[Segment]:
    segmenter, found, at = Segmenter(), [], 0
    for size in sizes:
        found += segmenter.feed(text[at : at + size])
        at += size
    return [*found, *segmenter.feed(text[at:]), *segmenter.flush()]


def test_an_answer_is_cut_into_sentences_items_and_whole_blocks() -> None:
    assert texts(cut(ANSWER)) == [
        "# Heading with `code`\n",
        "Use `services.openssh.enable = true; foo. Bar` and e.g. services.openssh.enable. ",
        "Then 1.5 is fine! ",
        "Really?\n",
        "- item one\n",
        "- item two has `x`.\n",
        "1. first thing\n",
        "2. second. ",
        "More here\n",
        "   ```nix\n   a = 1;\n   ```\n",
        "Hard wrapped\nparagraph goes on here. ",
        'And set `fileSystems."/a. b".device`.\n',
        "\n",
        "| a | b |\n",
        '```bash\necho "x. y"\n```\n',
        "日本語です。",
        "次の文。 ",
        "End\n",
    ]


@given(st.lists(st.integers(1, 9), max_size=80))
def test_the_cut_does_not_depend_on_how_the_text_arrives(sizes: list[int]) -> None:
    assert fed(ANSWER, sizes) == cut(ANSWER)


@given(MARKDOWN, st.lists(st.integers(1, 9), max_size=40))
@example("`" * 70 + "x", [1] * 40)
@example("```nix\nx", [])
def test_the_segments_put_together_are_the_text(text: str, sizes: list[int]) -> None:
    assert "".join(texts(fed(text, sizes))) == text


def test_the_first_sentence_is_there_as_soon_as_it_has_ended() -> None:
    segmenter = Segmenter()
    assert segmenter.feed("Set `services.openssh.enable`") == []
    assert segmenter.feed(".") == []
    assert texts(segmenter.feed(" T")) == ["Set `services.openssh.enable`. "]


def test_a_block_is_held_until_it_is_whole() -> None:
    segmenter = Segmenter()
    assert texts(segmenter.feed("Like this:\n```nix\nservices.x.enable = true;\n")) == ["Like this:\n"]
    assert segmenter.feed("``") == []
    [block] = segmenter.feed("`\nDone.")
    assert (block.kind, block.language, block.closed) == ("code", "nix", True)


def test_an_open_block_says_at_the_end_how_to_close_it() -> None:
    [block] = cut("  ~~~~ NIX title=x\na = 1;")
    assert (block.language, block.closed, block.closing) == ("nix", False, "\n  ~~~~\n")
    assert cut("```\na\n```")[0].closing == ""


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert texts(cut("````md\n```nix\na\n```\n````\nx")) == ["````md\n```nix\na\n```\n````\n", "x"]


def test_a_sentence_without_end_is_released_at_a_space_outside_names() -> None:
    found = texts(cut('word services.a."b c".enable ' * 400))
    assert max(map(len, found)) <= 2_100
    for text in found[:-1]:
        assert text.endswith(" ")
        assert not text.endswith('"b ')


def test_a_block_without_end_is_released_in_pieces_of_whole_lines() -> None:
    pieces = cut("```nix\n" + "services.openssh.enable = true;\n" * 3_000 + "```\n")
    assert len(pieces) > 3
    assert all(piece.kind == "code" and piece.text.endswith("\n") for piece in pieces)
    assert [piece.opened for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert [piece.closed for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize(
    "text", ["`", ".", '."', "x", "*", "> ", "1. ", "- ", "\n", "word ", "(", "~", "1", '"', "```\n", "```\nx", "…。"]
)
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_time_is_linear_whatever_the_text(text: str, size: int) -> None:
    long = text * (60_000 // len(text))
    started = time.perf_counter()
    assert "".join(texts(fed(long, [size] * len(long) if size == 1 else []))) == long
    assert time.perf_counter() - started < 10
