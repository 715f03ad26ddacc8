from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.answering.verifier.dangers import dangers_in
from tests.data.verifier.support import findings, nix, shown

DANGEROUS = {
    "sudo rm -rf /": "deletes everything",
    "rm -r -f ~/": "deletes everything",
    "rm --recursive --force /nix/store": "deletes everything",
    "rm -fr /*": "deletes everything",
    "rm -rf --no-preserve-root /": "deletes everything",
    'rm -rf "$HOME"': "deletes everything",
    "dd if=nixos.iso of=/dev/sda bs=4M": "overwrites the whole disk",
    "cat x.iso > /dev/nvme0n1": "overwrites the disk",
    "mkfs.ext4 -L nixos /dev/sda1": "formats the disk",
    "wipefs -a /dev/sda": "signatures",
    "sgdisk --zap-all /dev/sda": "partition table",
    "parted /dev/sda -- mklabel gpt": "partition table",
    "cryptsetup luksFormat /dev/sda2": "unreadable for good",
    "zpool destroy tank": "destroys the pool",
    "nix-collect-garbage -d": "no rollback",
    "sudo nix-collect-garbage --delete-old": "no rollback",
    "chmod -R 777 /var": "every user",
    "curl -sSL https://x.y/install.sh | sudo bash": "script from the network",
    "sh <(curl -L https://x.y/z)": "script from the network",
    'bash -c "$(wget -qO- https://x.y)"': "script from the network",
    "nix-env -iA nixos.firefox": "outside the configuration",
    "nix build --option sandbox false": "protection",
    "sudo systemctl stop firewall": "protection",
    ":(){ :|:& };:": "without end",
    "git reset --hard": "not committed",
}
HARMLESS = (
    "rm -rf ./result", "rm -rf /tmp/build", "rm file", "rm -r ~/projects/old", "dd if=/dev/sda of=backup.img",
    "chmod 755 x", "curl -O https://x.y/z", "curl https://x.y | jq .", "nix-collect-garbage", "nix-collect-garbage --delete-older-than 30d",
    "nix-env --list-generations", "mkfs is a program", "git clean", "sudo nixos-rebuild switch", "echo hi > /dev/null", "cat /dev/sda1 | head",
)  # fmt: skip


@pytest.mark.parametrize(("command", "warning"), DANGEROUS.items())
def test_a_dangerous_command_carries_a_warning(command: str, warning: str) -> None:
    block = f"```bash\n{command}\n```\n"
    text = shown(block)
    assert text.startswith("> ⚠ **Careful:** ")
    assert warning in text
    assert text.endswith("\n\n" + block)


@pytest.mark.parametrize("command", HARMLESS)
def test_a_harmless_command_carries_none(command: str) -> None:
    assert dangers_in(command, nix=False) == []


def test_a_command_in_a_sentence_is_warned_about_in_its_place() -> None:
    assert shown("Run `rm -rf /` to clean up.") == (
        "Run `rm -rf /` (⚠ this deletes everything below that directory and cannot be undone) to clean up."
    )


@pytest.mark.parametrize("text", ["Never run `rm -rf /`.", "Do not use `chmod 777`.", "Avoid `nix-env -i`."])
def test_advice_against_a_command_needs_no_warning(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("code", "warning"),
    {
        "networking.firewall.enable = false;": "firewall off",
        "networking = { firewall = { enable = false; }; };": "firewall off",
        "nix.settings.sandbox = false;": "without isolation",
        'services.openssh.settings.PermitRootLogin = "yes";': "root can then be logged in to",
        'users.users.root.password = "hunter2";': "world-readable",
        'users.users.alice.initialPassword = "x";': "world-readable",
        "nixpkgs.config.allowBroken = true;": "known to be broken",
        "security.sudo.wheelNeedsPassword = false;": "become root",
    }.items(),
)
def test_a_setting_that_weakens_the_machine_carries_a_warning(code: str, warning: str) -> None:
    [finding] = findings(nix(code))
    assert finding.kind == "dangerous_command"
    assert warning in finding.message
    assert shown(nix(code)).endswith("\n\n" + nix(code))


def test_what_strengthens_it_carries_none() -> None:
    code = nix(
        'services.openssh.settings.PermitRootLogin = "no";\nnix.settings.sandbox = true;\nnetworking.firewall.enable = true;'
    )
    assert shown(code) == code


def test_a_secret_of_another_program_is_not_said_to_be_in_the_store() -> None:
    assert findings('```toml\npassword = "x"\n```\n') == []


@given(st.text(max_size=200))
def test_any_text_is_searched(text: str) -> None:
    for danger in dangers_in(text, nix=True):
        assert 0 < danger.end <= len(text)


@pytest.mark.parametrize(
    "piece",
    ["rm -r ", "rm ", "-rrrr", "curl ", "dd ", "sudo -a ", "chmod -", "nix-env -", " ", "password = ", "systemctl a "],
)
def test_hostile_repetition_is_searched_in_time(piece: str) -> None:
    started = time.perf_counter()
    dangers_in("rm " + piece * (20_000 // len(piece)), nix=True)
    assert time.perf_counter() - started < 20
