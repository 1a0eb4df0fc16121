"""Echo requests of our own: small, tied to a path, timed by the kernel where it does. Standard library only.

Linux and macOS: a datagram ("ping") socket where the system allows one, else a raw one. On Linux every
reply is stamped by the kernel (``SO_TIMESTAMPNS``), so that a busy processor is not taken for a slow
line; a stamp that cannot be true (the wall clock was set meanwhile) gives way to the steady clock.
A router that says "unreachable" ends the waiting. Windows asks its own API: :mod:`.icmp_windows`.

A request is 32 bytes with its IPv4 header: four bytes of chance tell our replies from anybody else's.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hatang_agent.net.answer import Echoes, Outcome, of_error
from hatang_agent.net.clocks import NS_PER_MS, Clocks
from hatang_agent.net.path import ANY, NetPath, Tied, tie

NO_RIGHT: Final = "no right to send echo requests"

_ECHO: Final = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_SO_TIMESTAMPNS: Final = 35  # its control message has the same number
_IP_RECVERR: Final = {socket.AF_INET: (0, 11), socket.AF_INET6: (41, 25)}
_ICMP_FILTER: Final = (255, 1)  # SOL_RAW
_ICMP6_FILTER: Final = (58, 1)
_MSG_ERRQUEUE: Final = 0x2000
_CONTROL_BYTES: Final = 512
_TOKEN_BYTES: Final = 4
_LINUX: Final = sys.platform.startswith("linux")


def ping(
    address: str,
    clocks: Clocks,
    path: NetPath = ANY,
    *,
    count: int = 3,
    gap_s: float = 0.2,
    timeout_s: float = 1.0,
) -> Echoes:
    """Send ``count`` echo requests, ``gap_s`` apart, and wait ``timeout_s`` for each reply. Never raises.

    All are sent, whatever becomes of the first, unless nothing can be sent at all.
    """
    if sys.platform == "win32":
        from hatang_agent.net import icmp_windows

        return icmp_windows.ping(address, clocks, path, count=count, gap_s=gap_s, timeout_s=timeout_s)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if path.straight:
        from hatang_agent.net import straight

        return straight.ping(address, clocks, path, count=count, gap_s=gap_s, timeout_s=timeout_s)
    sock = open_socket(family)
    if sock is None:
        return Echoes((), Outcome.NOT_SENT, NO_RIGHT, address)
    with sock:
        try:
            tied = tie(sock, path)
            sock.connect((address, 0))
        except OSError as error:
            outcome, detail = of_error(error)
            return Echoes((), outcome, detail, address)
        prepare(sock)
        engine = "raw" if sock.type == socket.SOCK_RAW else "ping"
        series = Series(sock, clocks, address, engine, tied)
        return series.run(sock.send, count, gap_s, timeout_s)


def open_socket(family: int, *, raw: bool = False) -> socket.socket | None:
    """A socket for echoes, None when this process may have none. ``raw``: no other kind will do."""
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_RAW,) if raw else (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol)
        except OSError:
            continue
    return None


def prepare(sock: socket.socket) -> None:
    """Kernel timestamps and error messages; of a raw socket nothing but echo replies."""
    if not _LINUX:
        return
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(*_IP_RECVERR[sock.family], 1)
    if sock.type == socket.SOCK_RAW:
        reply = _ECHO[sock.family][1]
        if sock.family == socket.AF_INET6:
            blocked = bytearray(b"\xff" * 32)
            word = struct.unpack_from("=I", blocked, reply // 32 * 4)[0] & ~(1 << reply % 32)
            struct.pack_into("=I", blocked, reply // 32 * 4, word)
            sock.setsockopt(*_ICMP6_FILTER, bytes(blocked))
        else:
            sock.setsockopt(*_ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~(1 << reply)))


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(family: int, identity: int, number: int, token: bytes) -> bytes:
    """An echo request. The kernel fills in the checksum of ICMPv6, and the identity of ping sockets."""
    kind = _ECHO[socket.AddressFamily(family)][0]
    draft = struct.pack("!BBHHH", kind, 0, 0, identity, number) + token
    if family == socket.AF_INET6:
        return draft
    return draft[:2] + struct.pack("!H", checksum(draft)) + draft[4:]


def number_of(family: int, packet: bytes, token: bytes) -> int | None:
    """The number of an echo reply to one of our requests, None for any other packet."""
    if family == socket.AF_INET and packet and packet[0] >> 4 == 4:  # raw sockets show the IPv4 header
        packet = packet[(packet[0] & 0xF) * 4 :]
    if len(packet) < 8 + len(token) or packet[0] != _ECHO[socket.AddressFamily(family)][1]:
        return None
    if packet[8 : 8 + len(token)] != token:
        return None
    return int(struct.unpack("!H", packet[6:8])[0])


@dataclass(slots=True)
class _Sent:
    """One request on its way."""

    steady_ns: int
    wall_ns: int
    rtt_ms: float | None = None


@dataclass(slots=True)
class Series:
    """The requests of one call and what came back on ``sock``; :meth:`run` once."""

    sock: socket.socket
    clocks: Clocks
    address: str
    engine: str
    tied: Tied
    token: bytes = field(default_factory=lambda: os.urandom(_TOKEN_BYTES))
    identity: int = field(default_factory=lambda: int.from_bytes(os.urandom(2), "big"))
    sent: list[_Sent] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    stamped: bool = False

    def run(self, send: Callable[[bytes], object], count: int, gap_s: float, timeout_s: float) -> Echoes:
        """Send and listen until every request has its reply, its refusal or its time is over."""
        for number in range(count):
            packet = request(self.sock.family, self.identity, number, self.token)
            self.sent.append(_Sent(self.clocks.steady_ns(), self.clocks.wall_ns()))
            try:
                send(packet)
            except OSError as error:
                if not self._refused(error):
                    return self._echoes(Outcome.NOT_SENT, of_error(error)[1])
            last = number == count - 1
            self._listen(self.clocks.deadline_ns(timeout_s if last else min(gap_s, timeout_s)), last)
        if any(one.rtt_ms is not None for one in self.sent):
            return self._echoes(Outcome.ANSWERED, "")
        if self.told:
            return self._echoes(Outcome.UNREACHABLE, self.told[-1])
        return self._echoes(Outcome.TIMEOUT, "no answer")

    def _echoes(self, outcome: Outcome, detail: str) -> Echoes:
        rtts = tuple(one.rtt_ms for one in self.sent)
        return Echoes(rtts, outcome, detail, self.address, self.tied, self.engine, self.stamped)

    def _refused(self, error: OSError) -> bool:
        """Note that there is no way for one of our requests; False for an error of another kind."""
        outcome, detail = of_error(error)
        if outcome not in (Outcome.UNREACHABLE, Outcome.REFUSED):
            return False
        said = self._who_says()
        if said is not None:
            self.told.append(said or detail)
        return True

    def _who_says(self) -> str | None:
        """Take the message from the socket's queue, or it would be told again; who sent it.

        None for what answers somebody else's request: raw sockets are told of those as well.
        """
        if not _LINUX:
            return ""
        try:
            quoted, control, _, _ = self.sock.recvmsg(64, _CONTROL_BYTES, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            return ""
        raw = self.sock.type == socket.SOCK_RAW
        if raw and len(quoted) >= 8 and struct.unpack("!H", quoted[4:6])[0] != self.identity:
            return None
        for _, _, content in control:
            # struct sock_extended_err (16 bytes), then the address of whoever sent the message
            if len(content) >= 24 and content[4] in (2, 3):
                six = struct.unpack_from("=H", content, 16)[0] == socket.AF_INET6
                said_by = content[24:40] if six else content[20:24]
                return f"unreachable, says {socket.inet_ntop(self.sock.family, said_by)}"
        return ""

    def _listen(self, until_ns: int, last: bool) -> None:
        """Take replies until the instant; at the end no longer than something is awaited."""
        while (left_s := self.clocks.left_s(until_ns)) > 0:
            waiting = sum(one.rtt_ms is None for one in self.sent)
            if last and waiting <= len(self.told):
                return
            self.sock.settimeout(left_s)
            try:
                packet, control, _, _ = self.sock.recvmsg(256, _CONTROL_BYTES)
            except TimeoutError:
                return
            except OSError as error:
                if not self._refused(error):
                    return
                continue
            now_ns = self.clocks.steady_ns()
            number = number_of(self.sock.family, packet, self.token)
            if number is not None and number < len(self.sent) and self.sent[number].rtt_ms is None:
                self.sent[number].rtt_ms = self._rtt_ms(self.sent[number], now_ns, control)

    def _rtt_ms(self, sent: _Sent, now_ns: int, control: list[tuple[int, int, bytes]]) -> float:
        """By the kernel's stamp where there is one that can be true."""
        ours_ns = now_ns - sent.steady_ns
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(content) >= 16:
                seconds, nanoseconds = map(int, struct.unpack("=qq", content[:16]))
                kernels_ns = seconds * 1_000_000_000 + nanoseconds - sent.wall_ns
                if 0 < kernels_ns <= ours_ns:
                    self.stamped = True
                    return kernels_ns / NS_PER_MS
        return ours_ns / NS_PER_MS
