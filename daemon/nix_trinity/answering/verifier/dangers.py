"""Commands and settings that destroy data or weaken security: they are shown with a warning, never hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nix_trinity.answering.verifier.nix_module import Assignment


@dataclass(frozen=True, slots=True)
class Danger:
    """A warning; ``end`` is where in the text the dangerous part ends, ``what`` the part itself."""

    end: int
    what: str
    warning: str


_ROOT_OR_HOME = r"(?:/|/\*|~|~/|\$HOME|\"\$HOME\"|/(?:boot|etc|home|nix|root|usr|var|nix/store|etc/nixos)/?)(?:/?\*)?"
_DISK = r"/dev/(?:sd|hd|vd|nvme|mmcblk|disk/|mapper/|dm-|md)[\w/.:-]*"
_END = r"(?=[\s;&|`'\")]|$)"
_RUN: Final = (
    (
        r"\brm\s+(?=(?:--?[\w-]{1,30}\s+){0,5}-(?:\w{0,8}[rR]|-recursive))(?:--?[\w-]{1,30}\s+){1,6}"
        rf"{_ROOT_OR_HOME}{_END}",
        "this deletes everything below that directory and cannot be undone",
    ),
    (rf"\bdd\b[^\n`]{{0,200}}\bof={_DISK}", "this overwrites the whole disk or partition without asking"),
    (rf"(?:>|\btee\b|\bcat\b[^\n`]{{0,80}}>)\s*{_DISK}", "this overwrites the disk or partition without asking"),
    (r"\bmkfs(?:\.\w+)?\s+[^\n`]{0,80}/dev/", "this formats the disk or partition; what is on it is lost"),
    (r"\bmkswap\s+[^\n`]{0,80}/dev/", "this overwrites the partition's beginning; what is on it is lost"),
    (r"\bwipefs\s+(?:-\w*a\w*|--all)\b", "this removes the disk's partition and file system signatures"),
    (r"\bblkdiscard\b|\bshred\s+[^\n`]{0,40}/dev/", "this erases the device beyond recovery"),
    (r"\b(?:sgdisk|sfdisk)\s+[^\n`]{0,40}(?:--zap-all|-Z|--delete)", "this deletes the disk's partition table"),
    (r"\bparted\b[^\n`]{0,60}\bmklabel\b", "this replaces the disk's partition table; what is on it is lost"),
    (
        r"\bdisko\b[^\n`]{0,80}(?:--mode|-m)\s+\S*(?:disko|destroy|format|zap)",
        "disko formats the disks that are named in the configuration",
    ),
    (r"\b(?:zpool|zfs)\s+destroy\b", "this destroys the pool or data set with all that is in it"),
    (r"\bbtrfs\s+subvolume\s+delete\b", "this deletes the subvolume with all that is in it"),
    (r"\b(?:lvremove|vgremove|pvremove)\b", "this deletes the volume with all that is in it"),
    (
        r"\bcryptsetup\s+[^\n`]{0,60}\b(?:luksFormat|luksErase|erase)\b",
        "this makes what is on the device unreadable for good",
    ),
    (
        r"\bnix-collect-garbage\s+[^\n`]{0,40}(?:-d\b|--delete-old\b)|\bnix\s+profile\s+wipe-history\b",
        "this deletes all older generations: no rollback is possible afterwards",
    ),
    (r"\bnix-env\s+[^\n`]{0,60}--delete-generations\b", "deleted generations cannot be rolled back to"),
    (
        r"\bchmod\s+(?:-\w+\s+)*(?:0?777|a\+rwx|ugo\+rwx)\b",
        "this lets every user of the machine change the files",
    ),
    (
        r"\bch(?:mod|own)\s+(?:-\w*R\w*)\s+[^\n`]{1,60}\s(?:/nix(?:/store)?|/etc|/usr|/)/?(?=[\s`]|$)",
        "this breaks the ownership or rights of system files",
    ),
    (
        r"\b(?:curl|wget)\b[^\n|`]{0,300}\|\s*(?:sudo\s+(?:-\w+\s+)*)?(?:ba|z|da|fi)?sh\b|\b(?:ba|z)?sh\s+(?:-c\s+)?[\"']?[<$]\(\s*(?:curl|wget)\b",
        "this runs a script from the network unseen; download and read it first",
    ),
    (r"\bgit\s+(?:clean\s+-\w*[fdx]\w*|reset\s+--hard)\b", "this discards changes that are not committed"),
    (
        r":\s*\(\s*\)\s*\{\s*:\s*\|\s*:\s*&\s*\}\s*;\s*:",
        "this starts processes without end until the machine stops responding",
    ),
    (
        r"--option\s+(?:sandbox|require-sigs)\s+false|--no-(?:sandbox-build|check-sigs|require-sigs)\b|--no-check-sigs\b",
        "this switches off a protection of Nix builds or downloads",
    ),
    (
        r"\b(?:setenforce\s+0|iptables\s+-F|nft\s+flush\s+ruleset)\b|\bsystemctl\s+(?:\S+\s+){0,3}(?:stop|disable|mask)\s+(?:\S+\s+){0,3}firewall",
        "this switches the firewall or another protection off",
    ),
    (
        r"\bnix-env\s+(?:-\w+\s+)*(?:-i\w*|--install)\b",
        "this installs outside the configuration; `environment.systemPackages` or `nix shell` keep the system declarative",
    ),
    (r"\bsudo\s+nix-channel\s+--remove\b", "without its channel the system cannot be rebuilt the classic way"),
)
_SET: Final = (
    (
        r"\bPermitRootLogin\s*=\s*\"yes\"|\bpermitRootLogin\s*=\s*\"yes\"",
        "root can then be logged in to with a password from outside",
    ),
    (
        r"\bPermitEmptyPasswords\s*=\s*(?:true|\"yes\")",
        "accounts without a password can then be logged in to from outside",
    ),
    (
        r"\b(?:initialPassword|password|adminPass|rootPassword|secretKey|apiKey|token|passphrase|psk)\s*=\s*\"[^\"$\n]{1,200}\"",
        "this secret becomes world-readable in /nix/store; use a hashed password or an option that takes a file",
    ),
)
_SETTINGS: Final = (
    (("networking", "firewall", "enable"), False, "this switches the firewall off; open single ports instead"),
    (("nix", "settings", "sandbox"), False, "builds then run without isolation"),
    (("nix", "useSandbox"), False, "builds then run without isolation"),
    (("nix", "settings", "require-sigs"), False, "downloads are then taken from anybody, unsigned"),
    (("security", "sudo", "wheelNeedsPassword"), False, "every program of such a user can then become root"),
    (("users", "mutableUsers"), False, "accounts without a declared password cannot log in any more after the rebuild"),
    (("users", "allowNoPasswordLogin"), True, "this removes the check that somebody can still log in"),
    (("nixpkgs", "config", "allowBroken"), True, "packages that are known to be broken are then installed"),
)
_COMMANDS = tuple((re.compile(pattern, re.MULTILINE), warning) for pattern, warning in _RUN)
_WRITTEN_SETTINGS = tuple((re.compile(pattern), warning) for pattern, warning in _SET)
# "Never run `rm -rf /`" needs no warning.
_ADVISED_AGAINST = re.compile(
    r"\b(?:never|do not|don't|avoid|instead of)\s+(?:ever\s+)?(?:run(?:ning)?|us(?:e|ing)|execut(?:e|ing)|typ(?:e|ing)|set(?:ting)?)?\s*[`*\"']*(?:sudo\s+)?\Z",
    re.IGNORECASE,
)


def dangers_in(text: str, *, nix: bool) -> list[Danger]:
    """Find dangerous commands in a text of any kind, and dangerous settings where it is or may be ``nix``."""
    found: dict[str, Danger] = {}
    for pattern, warning in (*_COMMANDS, *(_WRITTEN_SETTINGS if nix else ())):
        for match in pattern.finditer(text):
            if not _ADVISED_AGAINST.search(text[max(0, match.start() - 40) : match.start()]):
                found.setdefault(warning, Danger(match.end(), match[0].strip(), warning))
    return list(found.values())


def dangerous_settings(assignments: tuple[Assignment, ...]) -> Iterator[tuple[Assignment, str]]:
    """Find options that are set to a value that weakens the machine; gives each with its warning."""
    for assignment in assignments:
        for path, value, warning in _SETTINGS:
            if assignment.path == path and assignment.value.literal is value:
                yield assignment, warning
        if assignment.path[:2] == ("nixpkgs", "config") and assignment.path[2:] == ("permittedInsecurePackages",):
            yield assignment, "these packages have known security holes"
