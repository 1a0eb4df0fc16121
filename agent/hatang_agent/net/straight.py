"""Packets written straight to a next hop's hardware address, whatever the system's routes say. Linux, IPv4.

Where one interface has two gateways, the routes choose one of them and nothing but the hardware address
in the frame reaches the other. So ARP asks for it, and an echo request or the opening packet of a TCP
connection (never more than that one) is handed to the card with it. Replies are read from raw sockets.
Needs CAP_NET_RAW.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

from hatang_agent.net import icmp
from hatang_agent.net.answer import Answer, Echoes, Outcome, of_error
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import NetPath, Tied, tie

NO_RIGHT: Final = "no right to write to the next hop"

_ETH_P_IP: Final = 0x0800
_ETH_P_ARP: Final = 0x0806
_EVERYBODY: Final = b"\xff" * 6
_ARP_S: Final = 1.0
_SYN: Final = 0x02
_RST: Final = 0x04
_ACK: Final = 0x10
_SO_ATTACH_FILTER: Final = 26


class NoNextHop(Exception):  # noqa: N818 - an outcome
    """The next hop cannot be written to; ``outcome`` says what that means, the text why."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome


def ping(
    address: str, clocks: Clocks, path: NetPath, *, count: int, gap_s: float, timeout_s: float
) -> Echoes:
    """Echo requests through the path's gateway. Never raises."""
    if cannot := _cannot(address):
        return Echoes((), Outcome.NOT_SENT, cannot, address)
    sock = icmp.open_socket(socket.AF_INET, raw=True)
    if sock is None:
        return Echoes((), Outcome.NOT_SENT, NO_RIGHT, address)
    with sock:
        try:
            tie(sock, path)
            icmp.prepare(sock)
            with NextHop(path, clocks) as hop:
                series = icmp.Series(sock, clocks, address, "next_hop", Tied.NEXT_HOP)
                return series.run(lambda packet: hop.send(address, 1, packet), count, gap_s, timeout_s)
        except NoNextHop as error:
            return Echoes((), error.outcome, str(error), address)
        except OSError as error:
            return Echoes((), Outcome.NOT_SENT, of_error(error)[1], address)


def _cannot(address: str) -> str:
    """Why nothing can go straight, '' when it can."""
    if ":" in address:
        return "IPv6 has routers of its own"
    return "" if hasattr(socket, "AF_PACKET") else "this system has one next hop for an interface"


def knock(address: str, port: int, clocks: Clocks, path: NetPath, timeout_s: float) -> Answer:
    """The opening packet of a TCP connection through the path's gateway: taken, refused or unheard.

    No connection comes of it: the system, which knows nothing of it, breaks it off. Never raises.
    """
    if cannot := _cannot(address):
        return Answer(Outcome.NOT_SENT, cannot, address)
    try:
        heard = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    except PermissionError:
        return Answer(Outcome.NOT_SENT, NO_RIGHT, address)
    with heard, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as keeper:
        try:
            keeper.bind((path.ipv4, 0))  # so that nobody else gets this port meanwhile
            own_port = keeper.getsockname()[1]
            _only(heard, own_port)
            tie(heard, path)
            with NextHop(path, clocks) as hop:
                number = int.from_bytes(os.urandom(4), "big")
                began = clocks.steady_ns()
                hop.send(address, 6, opening(path.ipv4, address, own_port, port, number))
                return _heard(heard, address, port, clocks, began, timeout_s, number)
        except NoNextHop as error:
            return Answer(error.outcome, str(error), address)
        except OSError as error:
            outcome, detail = of_error(error)
            return Answer(outcome, detail, address, Tied.NEXT_HOP)


def opening(source: str, destination: str, own_port: int, port: int, number: int) -> bytes:
    """The TCP segment that asks for a connection, without options."""
    draft = struct.pack("!HHIIBBHHH", own_port, port, number, 0, 5 << 4, _SYN, 1024, 0, 0)
    head = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 6, len(draft))
    return draft[:16] + struct.pack("!H", icmp.checksum(head + draft)) + draft[18:]


def flags_of(packet: bytes, address: str, port: int, number: int) -> int | None:
    """The flags of a TCP packet (with its IPv4 header) that answers our opening one, None for others."""
    at = (packet[0] & 0xF) * 4 if packet else 0
    if len(packet) < at + 20 or packet[12:16] != socket.inet_aton(address):
        return None
    from_port, _, _, acknowledged, _, flags = struct.unpack("!HHIIBB", packet[at : at + 14])
    if from_port != port or not flags & _ACK or acknowledged != (number + 1) & 0xFFFFFFFF:
        return None
    return int(flags)


def _heard(
    sock: socket.socket, address: str, port: int, clocks: Clocks, began: int, timeout_s: float, number: int
) -> Answer:
    until = began + int(timeout_s * 1_000_000_000)
    while (left_s := clocks.left_s(until)) > 0:
        sock.settimeout(left_s)
        try:
            packet = sock.recv(128)
        except TimeoutError:
            break
        flags = flags_of(packet, address, port, number)
        if flags is not None:
            no = bool(flags & _RST)
            outcome = Outcome.REFUSED if no else Outcome.ANSWERED
            said = "refused" if no else ""
            return Answer(outcome, said, address, Tied.NEXT_HOP, clocks.since_ms(began))
    return Answer(Outcome.TIMEOUT, "no answer", address, Tied.NEXT_HOP)


def _only(sock: socket.socket, port: int) -> None:
    """Let the kernel pass nothing but what is for one of our ports (classic BPF)."""
    import ctypes

    program = b"".join(
        struct.pack("=HBBI", *step)
        for step in (
            (0xB1, 0, 0, 0),  # X = length of the IPv4 header
            (0x48, 0, 0, 2),  # A = destination port
            (0x15, 0, 1, port),
            (0x06, 0, 0, 0xFFFF),
            (0x06, 0, 0, 0),
        )
    )
    kept = ctypes.create_string_buffer(program)
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    )


class NextHop:
    """The gateway of a path, ready to be written to. Raises NoNextHop on entering."""

    def __init__(self, path: NetPath, clocks: Clocks) -> None:
        self._path = path
        self._clocks = clocks

    def __enter__(self) -> NextHop:
        try:
            self._mac = hardware_address(self._path, self._clocks)
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        except OSError as error:
            raise NoNextHop(Outcome.NOT_SENT, NO_RIGHT if _denied(error) else of_error(error)[1]) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, address: str, protocol: int, content: bytes) -> None:
        """One packet to an address through the gateway. Raises OSError."""
        packet = ipv4(self._path.ipv4, address, protocol, content)
        self._sock.sendto(packet, (self._path.device, _ETH_P_IP, 0, 0, self._mac))


def _denied(error: OSError) -> bool:
    return isinstance(error, PermissionError)


def ipv4(source: str, destination: str, protocol: int, content: bytes) -> bytes:
    """An IPv4 packet without options; 64 hops."""
    identity = int.from_bytes(os.urandom(2), "big")
    draft = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), identity, 0x4000, 64, protocol, 0)
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    return draft[:10] + struct.pack("!H", icmp.checksum(draft + ends)) + ends + content


def hardware_address(path: NetPath, clocks: Clocks) -> bytes:
    """The hardware address of the path's gateway, by ARP. Raises OSError, and NoNextHop when it is silent."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ARP)) as sock:
        sock.bind((path.device, _ETH_P_ARP))
        own = sock.getsockname()[4]
        asked = _arp(1, own, path.ipv4, b"\0" * 6, path.gateway)
        until = clocks.deadline_ns(_ARP_S)
        for share in (0.3, 1.0):
            sock.sendto(asked, (path.device, _ETH_P_ARP, 0, 0, _EVERYBODY))
            part = clocks.deadline_ns(clocks.left_s(until) * share)
            while (left_s := clocks.left_s(part)) > 0:
                sock.settimeout(left_s)
                try:
                    found = arp_reply(sock.recv(64), path.gateway)
                except TimeoutError:
                    break
                if found is not None:
                    return found
    raise NoNextHop(Outcome.UNREACHABLE, f"gateway {path.gateway} does not answer ARP")


def _arp(operation: int, own: bytes, source: str, other: bytes, destination: str) -> bytes:
    head = struct.pack("!HHBBH", 1, _ETH_P_IP, 6, 4, operation)
    return head + own + socket.inet_aton(source) + other + socket.inet_aton(destination)


def arp_reply(packet: bytes, address: str) -> bytes | None:
    """The hardware address that an ARP reply tells for an address, None for other packets."""
    if len(packet) < 28 or struct.unpack("!H", packet[6:8])[0] != 2:
        return None
    return packet[8:14] if packet[14:18] == socket.inet_aton(address) else None
