"""Who is at the other end of a Unix socket, as the kernel knows it (unix(7), SO_PEERCRED, SO_PEERGROUPS)."""

from __future__ import annotations

import grp
import os
import socket
import struct
from dataclasses import dataclass

# Not in Python's socket module; the value is the same on every architecture that NixOS is built for
# (include/uapi/asm-generic/socket.h).
_SO_PEERGROUPS = 59
_MOST_GROUPS = 65_536


@dataclass(frozen=True, slots=True)
class Peer:
    """The credentials that the peer had when it connected."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int] = frozenset()


TOKEN_UID = 2**32 - 1
"""Whose exchanges those are that came over TCP. It is (uid_t)-1, which the kernel gives to no process; 65534 (nobody)
would also be whoever comes to the Unix socket out of a container whose users have no number here."""
BY_TOKEN = Peer(pid=0, uid=TOKEN_UID, gid=TOKEN_UID)
"""Whoever brought the token: all of them are one person, in no group."""


def peer_of(connection: socket.socket) -> Peer:
    """Read the credentials of a connected Unix socket.

    :raises OSError: the socket is not a connected Unix socket.
    """
    pid, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    size = 4 * 256
    while True:
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, size)
        except OSError:
            # ERANGE: more groups than that. Kernels before 4.13 do not know the option at all.
            size *= 16
            if size > 4 * _MOST_GROUPS:
                return Peer(pid, uid, gid, frozenset({gid}))
            continue
        groups = struct.unpack(f"{len(raw) // 4}I", raw)
        return Peer(pid, uid, gid, frozenset({gid, *groups}))


def in_group(peer: Peer, group: str) -> bool:
    """Whether the peer is root, the daemon's own user, or in ``group``; an unknown group has no members."""
    if peer.uid in (0, os.geteuid()):
        return True
    try:
        return grp.getgrnam(group).gr_gid in peer.groups
    except KeyError:
        return False
