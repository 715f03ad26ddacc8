"""What is kept of a failed rebuild's output, on outputs in the form that Nix gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.client.build_errors import MOST_CHARACTERS, failure_in, plain, tail_of, was_interrupted

SAMPLES = Path(__file__).parents[1] / "data" / "build_errors"
BUILDER = (
    "error: builder for '/nix/store/8k3d5x7z9v1b3n5m7q9w2r4t6y8p0s2f-widget-1.4.0.drv' failed with exit code 2;\n"
    "       last 10 log lines:\n"
    "       > src/main.c:12:10: fatal error: zlib.h: No such file or directory\n"
    "       > make: *** [Makefile:7: main.o] Error 1\n"
    "       For full logs, run:\n"
    "         nix log /nix/store/8k3d5x7z9v1b3n5m7q9w2r4t6y8p0s2f-widget-1.4.0.drv\n"
    "error: 1 dependencies of derivation '/nix/store/c6v8-nixos-system-lampe-25.05.drv' failed to build\n"
)


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("failed_assertion", ["Failed assertions:", "- You must set the option `boot.loader.grub.devices`", "- The option"]),
        ("infinite_recursion", ["error: infinite recursion encountered", "the module argument `pkgs' in", "/etc/nixos/overlay.nix"]),
        ("missing_attribute", ["attribute 'firefoxx' missing", "at /etc/nixos/packages.nix:14:5", "Did you mean one of firefox"]),
        ("hash_mismatch", ["hash mismatch in fixed-output derivation", "specified: sha256-AAA", "got:    sha256-3xkQ"]),
        ("syntax_error", ["syntax error, unexpected '}', expecting ';'", "configuration.nix:27:1", '26|   networking.hostName = "lampe"']),
        ("failed_switch", ["the following units failed: nginx.service", 'host not found in upstream "backend.lan"']),
    ],
)  # fmt: skip
def test_what_tells_the_cause_is_kept(name: str, kept: list[str]) -> None:
    found = failure_in(sample(name))
    assert found is not None
    assert [piece for piece in kept if piece not in found] == []
    assert "\x1b" not in found
    assert len(found) <= MOST_CHARACTERS


@pytest.mark.parametrize("name", ["success", "interrupted"])
def test_what_went_well_or_was_stopped_is_nothing_to_explain(name: str) -> None:
    output = sample(name)
    assert "error:" in output
    assert failure_in(output) is None
    assert was_interrupted(output) is (name == "interrupted")


def test_a_warning_that_stopped_nothing_is_left_out() -> None:
    assert "evaluation warning" not in (failure_in(sample("missing_attribute")) or "evaluation warning")


def test_what_nix_always_says_is_left_out_and_the_log_before_the_error_is_not() -> None:
    found = failure_in(sample("hash_mismatch")) or ""
    assert found.startswith("trying https://example.org/widget/archive/v1.4.0.tar.gz")
    assert "will be built" not in found
    assert "building '" not in found
    assert "--:--:--" not in found
    assert "dependencies of derivation" not in found


LOG = "".join(f"[{number:4}/3000] cc -c src/part_{number}.c -o part_{number}.o -O2 -Wall\n" for number in range(3000))


def test_of_a_builder_with_3000_lines_of_log_what_nix_repeats_of_it_is_kept() -> None:
    found = failure_in(f"building the system configuration...\n{LOG}{BUILDER}") or ""
    assert found.startswith("error: builder for '/nix/store/8k3d5x7z9v1b3n5m7q9w2r4t6y8p0s2f-widget-1.4.0.drv' failed")
    assert "zlib.h: No such file or directory" in found
    assert "nix log /nix/store/8k3d5x7z9v1b3n5m7q9w2r4t6y8p0s2f-widget-1.4.0.drv" in found
    assert "part_" not in found
    assert "1 dependencies of derivation" not in found


def test_where_nix_repeats_none_of_the_log_its_last_lines_are_kept() -> None:
    failed = "error: builder for '/nix/store/8k3d-widget.drv' failed with exit code 2\n"
    found = failure_in(f"building the system configuration...\n{LOG}{failed}") or ""
    assert "part_2999.c" in found
    assert "part_2980.c" not in found
    assert found.endswith(failed.strip())


def test_where_only_consequences_are_told_they_are_kept() -> None:
    only = "error: 1 dependencies of derivation '/nix/store/c6v8-nixos-system-lampe-25.05.drv' failed to build\n"
    assert failure_in(only) == only.strip()


def test_of_a_long_error_both_ends_are_kept_within_the_limit() -> None:
    trace = "".join(f"       … while evaluating the attribute 'level_{number}'\n" for number in range(2000))
    found = failure_in(f"error:\n{trace}       error: attribute 'nix' missing\n") or ""
    assert len(found) <= MOST_CHARACTERS
    assert found.startswith("error:\n       … while evaluating the attribute 'level_0'")
    assert found.endswith("error: attribute 'nix' missing")
    assert "\n[…]\n" in found


def test_an_error_in_the_log_of_a_builder_is_none_of_nix_own() -> None:
    assert failure_in("widget> error: the cat is on the table\nwidget> all tests passed\n") is None
    assert failure_in("src/main.c:3: error: expected ';'\n") is None
    assert failure_in("error (ignored): the cache did not answer\n") is None
    assert failure_in("") is None


def test_what_a_terminal_would_have_written_over_is_gone() -> None:
    shown = plain(
        "\x1b[K[1/2 built] widget\r\x1b[K[2/2 built] widget\r\x1b[K\x1b[31;1merror:\x1b[0m no\x07\r\nnext\x1b]0;title\x07"
    )
    assert shown == ["error: no", "next"]


def test_a_failure_of_no_known_form_is_explained_by_its_last_lines() -> None:
    tail = tail_of("".join(f"line {number}\n" for number in range(1000)))
    assert tail.splitlines()[-1] == "line 999"
    assert len(tail.splitlines()) < 61


@given(st.text(alphabet=st.sampled_from("error: \n\r\x1b[;31mK]0\x07aß>'/"), max_size=400))
def test_any_text_is_read_within_the_limits(text: str) -> None:
    found = failure_in(text)
    assert found is None or (0 < len(found) <= MOST_CHARACTERS)
    assert "\x1b[" not in tail_of(text)
