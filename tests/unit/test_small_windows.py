"""Every model of every tier leaves room for a question and for what is found for it."""

from __future__ import annotations

import pytest

from nix_trinity.answering.prompt import Budget
from nix_trinity.catalogue import ROLES, load_catalogue
from nix_trinity.config import Config, parse_config
from nix_trinity.roles import role_specs
from nix_trinity.tokens import TOKENS_A_MESSAGE, most_tokens

CATALOGUE = load_catalogue()


def room(config: Config, role: str) -> int:
    """What is left for history, finds and question beside the role's own words, a tenth that is learned, and an answer."""
    spec = role_specs(config, CATALOGUE, 16.0)[role]
    texts = [spec.modelfile.system or "", *(message.content for message in spec.modelfile.messages)]
    own = sum(most_tokens(text) + TOKENS_A_MESSAGE for text in texts)
    answer = min(config.answering.answer_tokens, spec.num_ctx // 4)
    return Budget(spec.num_ctx, own + spec.num_ctx // 10, answer, 0).room


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("tier", sorted(CATALOGUE.tiers))
@pytest.mark.parametrize("role", ROLES)
def test_each_role_of_each_tier_can_be_asked(tier: str, role: str, modern: bool) -> None:
    config = parse_config(f'[models]\ntier = "{tier}"\nmodern = {str(modern).lower()}', origin="test")
    assert room(config, role) >= 395


def test_examples_are_left_out_whole_and_a_large_window_has_all() -> None:
    def messages(num_ctx: int) -> list[str]:
        text = f'[models]\ntier = "minimum"\n[models.roles.expert]\nmodel = "x:1b"\nnum_ctx = {num_ctx}'
        spec = role_specs(parse_config(text, origin="test"), CATALOGUE, 16.0)["expert"]
        return [message.role for message in spec.modelfile.messages]

    assert messages(8192) == messages(4096) == ["user", "assistant"] * 4
    assert messages(2048) in (["user", "assistant"], ["user", "assistant"] * 2)
    assert messages(1024) == []
