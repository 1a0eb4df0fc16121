"""Names to addresses: questions of our own to a name server, and the system's resolver with a time limit.

Nothing is kept of what a name server tells but the addresses of the name that was asked for.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Final

from hatang_agent.net.answer import Answer, Outcome, of_error
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import ANY, NetPath, tie
from hatang_agent.net.targets import is_address

PORT: Final = 53
RCODES: Final = {
    1: "format error",
    2: "server failure",
    3: "no such name",
    4: "not implemented",
    5: "refused",
}
_TYPES: Final = {socket.AF_INET: 1, socket.AF_INET6: 28}
_RECURSION: Final = 0x0100
_REPLY: Final = 0x8000
_LARGEST: Final = 1232
_TRIES: Final = 2
MOST_ADDRESSES: Final = 4


class BadReply(ValueError):  # noqa: N818 - an outcome
    """A packet is no reply to our question."""


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6 of an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def question(number: int, name: str, family: int = socket.AF_INET) -> bytes:
    """The packet that asks a name server for the addresses of a name."""
    labels = b"".join(bytes([len(part)]) + part for part in name.rstrip(".").encode("ascii").split(b"."))
    head = struct.pack("!6H", number, _RECURSION, 1, 0, 0, 0)
    return head + labels + b"\0" + struct.pack("!2H", _TYPES[socket.AddressFamily(family)], 1)


def answers(asked: bytes, reply: bytes) -> tuple[int, tuple[str, ...]]:
    """Response code and addresses of a reply to the packet asked. Raises BadReply."""
    if len(reply) < 12:
        raise BadReply("too short")
    number, flags, questions, records = struct.unpack("!4H", reply[:8])
    if number != struct.unpack("!H", asked[:2])[0] or not flags & _REPLY:
        raise BadReply("not a reply to this question")
    if questions and reply[12 : len(asked)].lower() != asked[12:].lower():
        raise BadReply("a reply to another question")
    at = len(asked) if questions else 12
    found: list[str] = []
    for _ in range(min(records, 64)):
        at = _after_name(reply, at)
        if at + 10 > len(reply):
            break  # cut off by its size: what is there is enough
        kind, _, _, length = struct.unpack("!HHIH", reply[at : at + 10])
        content = reply[at + 10 : at + 10 + length]
        at += 10 + length
        if (kind, len(content)) in ((1, 4), (28, 16)) and len(found) < MOST_ADDRESSES:
            found.append(str(ipaddress.ip_address(content)))
    return flags & 0xF, tuple(found)


def _after_name(packet: bytes, at: int) -> int:
    """Where a name in a packet ends; compressed names are not followed."""
    while at < len(packet):
        length = packet[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if length == 0:
            return at
    raise BadReply("a name without an end")


def ask(
    name: str,
    servers: Sequence[str],
    clocks: Clocks,
    timeout_s: float,
    path: NetPath = ANY,
    family: int = socket.AF_INET,
) -> Answer:
    """Ask name servers in order for a name, each twice within its share of the time.

    Any reply is an answer of the network; ``detail`` says what the server thought of the name, and
    ``addresses`` is empty then. The last failure is told when none replied.
    """
    answer = Answer(Outcome.NO_NAME, "no name server is known")
    deadline = clocks.deadline_ns(timeout_s)
    for place, server in enumerate(servers):
        share_s = clocks.left_s(deadline) / (len(servers) - place)
        answer = _ask_one(name, server, clocks, share_s, path, family)
        if answer.heard:
            break
    return answer


def _ask_one(name: str, server: str, clocks: Clocks, timeout_s: float, path: NetPath, family: int) -> Answer:
    deadline = clocks.deadline_ns(timeout_s)
    asked = question(int.from_bytes(os.urandom(2), "big"), name, family)
    with socket.socket(family_of(server), socket.SOCK_DGRAM) as sock:
        try:
            tied = tie(sock, path)
        except OSError as error:
            return Answer(Outcome.NOT_SENT, of_error(error)[1], server)
        try:
            sock.settimeout(timeout_s)
            sock.connect((server, PORT))
            for left in range(_TRIES, 0, -1):
                began = clocks.steady_ns()
                sock.send(asked)
                until = began + (deadline - began) // left
                try:
                    reply = _reply(sock, asked, clocks, until)
                except TimeoutError:
                    continue
                code, found = reply
                detail = RCODES.get(code, "" if code == 0 else f"code {code}")
                rtt_ms = clocks.since_ms(began)
                return Answer(Outcome.ANSWERED, detail, server, tied, rtt_ms, addresses=found)
        except OSError as error:
            outcome, detail = of_error(error)
            return Answer(outcome, detail, server, tied)
    return Answer(Outcome.TIMEOUT, "no answer", server, tied)


def _reply(sock: socket.socket, asked: bytes, clocks: Clocks, until_ns: int) -> tuple[int, tuple[str, ...]]:
    """The reply to our packet; what is none is passed over. Raises TimeoutError."""
    while (left_s := clocks.left_s(until_ns)) > 0:
        sock.settimeout(left_s)
        packet = sock.recv(_LARGEST)
        try:
            return answers(asked, packet)
        except BadReply:
            continue
    raise TimeoutError


def servers_of(resolv_conf: str) -> tuple[str, ...]:
    """The name servers of ``/etc/resolv.conf`` in their order."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and is_address(words[1].partition("%")[0]):
            found.append(words[1])
    return tuple(found[:3])


def local(server: str) -> bool:
    """Whether a name server is a helper on this very machine, which asks on its own ways."""
    return ipaddress.ip_address(server.partition("%")[0]).is_loopback


class Resolver:
    """The system's own resolver, never waited for longer than asked, with a memory.

    The memory keeps a dead name server from looking like a dead network: for ``keep_s`` a name is not
    asked again, and after that its former addresses stand in for as long as the resolver fails.
    """

    def __init__(self, clocks: Clocks, keep_s: float = 600.0) -> None:
        self._clocks = clocks
        self._keep_s = keep_s
        self._known: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._asking: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def addresses(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """At most four addresses of a host, () when nobody tells them in time. An address is itself."""
        if is_address(host):
            return (host,)
        fresh_ns, known = self._known.get(host, (0, ()))
        if known and self._clocks.steady_ns() < fresh_ns:
            return known
        self._asked(host).join(timeout_s)
        return self._known.get(host, (0, ()))[1]

    def lookup(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """As :meth:`addresses`, but asked now: () when nobody tells them, whatever is remembered."""
        if is_address(host):
            return (host,)
        now_ns = self._clocks.deadline_ns(self._keep_s)
        self._asked(host).join(timeout_s)
        fresh_ns, found = self._known.get(host, (0, ()))
        return found if fresh_ns >= now_ns else ()

    def _asked(self, host: str) -> threading.Thread:
        """The thread that asks for a host, one at a time."""
        with self._lock:
            worker = self._asking.get(host)
            if worker is None or not worker.is_alive():
                worker = threading.Thread(target=self._ask, args=(host,), name="resolver", daemon=True)
                self._asking[host] = worker
                worker.start()
        return worker

    def _ask(self, host: str) -> None:
        try:
            found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        unique = tuple(dict.fromkeys(str(one[4][0]) for one in found))[:MOST_ADDRESSES]
        self._known[host] = (self._clocks.deadline_ns(self._keep_s), unique)
