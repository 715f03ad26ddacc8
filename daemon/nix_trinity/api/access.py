"""Who may ask, and who sees whose exchanges."""

from __future__ import annotations

from dataclasses import dataclass

from nix_trinity.errors import AccessError
from nix_trinity.host.peer import BY_TOKEN, Peer, in_group
from nix_trinity.knowledge.exchanges import Reader


@dataclass(frozen=True, slots=True)
class Access:
    """The two groups of the configuration; an empty name leaves it to the socket's mode."""

    users_group: str
    operators_group: str

    def reader(self, peer: Peer) -> Reader:
        """What the peer may see: its own exchanges, or everybody's for operators, root and the daemon's user.

        The token takes the place of the users' group, and never that of the operators'.

        :raises AccessError: the peer is in neither group.
        """
        if peer == BY_TOKEN:
            return Reader(peer.uid)
        operator = in_group(peer, self.operators_group)
        if self.users_group and not operator and not in_group(peer, self.users_group):
            raise AccessError(
                f"Only members of the group {self.users_group!r} may ask; user id {peer.uid} is not one.",
                f'On NixOS: users.users.<you>.extraGroups = [ "{self.users_group}" ]; then log in again.',
            )
        return Reader(peer.uid, sees_all=operator)
