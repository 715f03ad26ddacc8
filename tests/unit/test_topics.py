from __future__ import annotations

import pytest

from nix_trinity.training.topics import topic_of


@pytest.mark.parametrize(
    ("names", "topic"),
    [
        (["services.openssh.enable", "services.openssh.ports", "networking.firewall.enable"], "services.openssh"),
        (["networking.firewall.enable", "services.openssh.enable"], "networking.firewall"),
        (["environment.systemPackages"], "environment.systemPackages"),
        (["users.users.<name>.shell"], "users.users"),
        (['services."a.b".enable'], 'services."a.b"'),
    ],
)
def test_the_topic_is_the_namespace_of_most_options(names: list[str], topic: str) -> None:
    assert topic_of("whatever flakes", names) == topic


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("How do I set up flakes?", "flakes"),
        ("Home Manager says nothing", "home-manager"),
        ("home-manager as a module", "home-manager"),
        ("error: infinite recursion encountered in my flake", "errors"),
        ("How do I go back to the previous generation?", "rollback"),
        ("My EFI partition", "boot"),
        ("What does mkIf do?", "nix language"),
        ("Where do packages go?", "packages"),
        ("Who are you?", "other"),
        ("", "other"),
    ],
)
def test_without_options_words_say_the_topic(question: str, topic: str) -> None:
    assert topic_of(question, ()) == topic
    assert topic_of(question, ("", ".")) == topic
