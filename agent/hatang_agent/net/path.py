"""How a packet leaves: paths, and tying a socket to one of them. Standard library only.

A path is an interface and a next hop. Binding a source address alone does not choose it: the kernel
looks at the destination only. So a socket is tied to the *interface* wherever the system lets us,
and what could not be tied says so, because its answer may have come another way.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_SO_BINDTODEVICE: Final = 25
_IP_UNICAST_IF: Final = 31  # Windows: IPPROTO_IP and IPPROTO_IPV6 have the same number
_IP_BOUND_IF: Final = 25  # macOS
_IPV6_BOUND_IF: Final = 125


class Tied(StrEnum):
    """How firmly a socket keeps to its path."""

    DEVICE = "device"
    """Nothing leaves by another interface."""
    SOURCE = "source"
    """Only the source address is that of the path: the system may send by another interface."""
    NEXT_HOP = "next_hop"
    """Written straight to the next hop's hardware address."""
    NOTHING = "nothing"
    """The system chooses."""


@dataclass(frozen=True, slots=True)
class NetPath:
    """One way out of this machine.

    ``name`` is what people and samples call it: the interface, and its gateway where the interface
    has several (``eth0 via 192.0.2.254``). ``gateway`` is the next hop, '' when nobody told it or
    there is none; with ``straight`` the system would choose another one, so packets must be written
    to the gateway's own hardware address. ``family`` is AF_INET or AF_INET6 where the path is of one
    kind of addresses only, else 0. ``unusable`` says why nothing can leave by it, '' when it can.
    """

    name: str
    device: str = ""
    index: int = 0
    ipv4: str = ""
    ipv6: str = ""
    gateway: str = ""
    straight: bool = False
    family: int = 0
    unusable: str = ""

    def carries(self, address: str) -> bool:
        """Whether an address is of a kind that leaves by this path."""
        return self.family in (0, socket.AF_INET6 if ":" in address else socket.AF_INET)

    def source(self, family: int) -> str:
        """The path's own address of a family, '' when it has none."""
        return self.ipv6 if family == socket.AF_INET6 else self.ipv4


ANY: Final = NetPath("")
"""Wherever the system sends it."""


def tie(sock: socket.socket, path: NetPath) -> Tied:
    """Keep a socket to a path, before it connects or sends: to its interface, and to its address.

    Raises OSError when the path has no such address (any more).
    """
    tied = _to_device(sock, path) if path.device else False
    source = path.source(sock.family)
    if source:
        sock.bind((source, 0, 0, path.index if _link_local(source) else 0)[: _length(sock)])
    if tied:
        return Tied.DEVICE
    return Tied.SOURCE if source else Tied.NOTHING


def _length(sock: socket.socket) -> int:
    return 4 if sock.family == socket.AF_INET6 else 2


def _link_local(address: str) -> bool:
    return address.lower().startswith("fe80")


def _to_device(sock: socket.socket, path: NetPath) -> bool:
    """Tie to the interface; False when the system does not let us."""
    six = sock.family == socket.AF_INET6
    level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
    try:
        if sys.platform.startswith("linux"):
            sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, path.device.encode() + b"\0")
        elif sys.platform == "win32":
            if not path.index:
                return False
            # IPv4 wants the index in network byte order, IPv6 in that of the host
            sock.setsockopt(level, _IP_UNICAST_IF, struct.pack("=I" if six else "!I", path.index))
        else:
            index = path.index or socket.if_nametoindex(path.device)
            sock.setsockopt(level, _IPV6_BOUND_IF if six else _IP_BOUND_IF, struct.pack("=I", index))
    except PermissionError:
        return False
    return True
