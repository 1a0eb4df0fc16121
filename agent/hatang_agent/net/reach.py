"""Asking a host by TCP, TLS, HTTP or DNS, tied to a path and timed. Standard library only.

Nothing is ever logged in to and no content is read: a request is ``HEAD`` (``GET`` where a server does
not know it), and of the reply only the status line is looked at; of a redirect also the line that says
where it leads, within its first 2 KB.

The time of a TCP connection is the kernel's own measure of its first round where the system tells it
(Linux), so a busy processor does not look like a slow line.
"""

from __future__ import annotations

import calendar
import contextlib
import re
import socket
import struct
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hatang_agent.net import names
from hatang_agent.net.answer import Answer, Outcome, of_error
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import ANY, NetPath, Tied, tie
from hatang_agent.net.targets import Method, Target

if TYPE_CHECKING:
    import ssl

_TCP_INFO_BYTES: Final = 104
_TCP_INFO_RTT: Final = 68  # tcpi_rtt of struct tcp_info in include/uapi/linux/tcp.h, microseconds
_STATUS_LINE_BYTES: Final = 1024
_HEAD_BYTES: Final = 2048
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_NO_HEAD: Final = frozenset({400, 403, 404, 405, 500, 501})
"""Statuses that servers give to HEAD for no other reason than that they do not know it."""


def ask(
    target: Target,
    address: str,
    clocks: Clocks,
    timeout_s: float,
    path: NetPath = ANY,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """Ask a target at one of its host's addresses, by its own method (all but ICMP).

    ``timeout_s`` bounds everything together. ``trust`` decides whether a certificate is believed;
    without it every one is. Never raises for the network's sake.
    """
    if path.straight:
        return _knock(target, address, clocks, timeout_s, path)
    if target.method is Method.DNS:
        return names.ask(target.host, [address], clocks, timeout_s, path)
    if target.method is Method.ICMP:
        raise ValueError("echoes are of hatang_agent.net.icmp")
    deadline = clocks.deadline_ns(timeout_s)
    answer = _converse(target, address, clocks, deadline, path, trust, b"HEAD")
    if answer.status in _NO_HEAD:
        again = _converse(target, address, clocks, deadline, path, trust, b"GET")
        return again if again.status is not None else answer
    return answer


def _knock(target: Target, address: str, clocks: Clocks, timeout_s: float, path: NetPath) -> Answer:
    """What can be learned past the routes: whether the port is there."""
    from hatang_agent.net import straight

    if not target.port or target.method is Method.DNS:
        return Answer(Outcome.NOT_SENT, "only echoes and TCP go straight to a next hop", address)
    return straight.knock(address, target.port, clocks, path, timeout_s)


def _converse(
    target: Target,
    address: str,
    clocks: Clocks,
    deadline: int,
    path: NetPath,
    trust: ssl.SSLContext | None,
    verb: bytes,
) -> Answer:
    """Connect, secure and ask, as far as the method goes; the connection is closed at the end."""
    sock, answer = connect(address, target.port, clocks, clocks.left_s(deadline), path)
    if sock is None:
        return answer
    try:
        if target.secure:
            sock, answer = _secured(sock, answer, target.host, clocks, deadline, trust)
        if answer.outcome is Outcome.ANSWERED and target.method is Method.HTTP:
            answer = _http(sock, answer, target, verb, clocks, deadline)
        elif target.method is Method.TCP:
            _hang_up(sock)
    finally:
        sock.close()
    return answer


def connect(
    address: str, port: int, clocks: Clocks, timeout_s: float, path: NetPath = ANY
) -> tuple[socket.socket | None, Answer]:
    """A TCP connection to an address, and how it came about; the caller closes it."""
    sock = socket.socket(names.family_of(address), socket.SOCK_STREAM)
    tied = Tied.NOTHING
    began = clocks.steady_ns()
    try:
        tied = tie(sock, path)
        sock.settimeout(max(timeout_s, 0.001))
        began = clocks.steady_ns()
        sock.connect((address, port))
    except OSError as error:
        took_ms = clocks.since_ms(began)
        sock.close()
        outcome, detail = of_error(error)
        rtt_ms = took_ms if outcome is Outcome.REFUSED else None
        return None, Answer(outcome, detail, address, tied, rtt_ms)
    took_ms = clocks.since_ms(began)
    return sock, Answer(Outcome.ANSWERED, "", address, tied, _kernels_rtt_ms(sock, took_ms))


def _hang_up(sock: socket.socket) -> None:
    """Let closing send one packet instead of a farewell of three: nothing was said that could be lost."""
    linger = struct.pack("=HH" if sys.platform == "win32" else "=ii", 1, 0)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def _kernels_rtt_ms(sock: socket.socket, took_ms: float) -> float:
    """The first round as the kernel timed it; our own time where it does not tell or tells nonsense."""
    if not sys.platform.startswith("linux"):
        return took_ms
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return took_ms
    if len(told) < _TCP_INFO_RTT + 4:
        return took_ms
    rtt_ms = struct.unpack_from("=I", told, _TCP_INFO_RTT)[0] / 1000
    return rtt_ms if 0 < rtt_ms <= took_ms else took_ms


def any_certificate() -> ssl.SSLContext:
    """A context that believes every certificate: what is asked is whether the host answers."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _secured(
    sock: socket.socket,
    answer: Answer,
    host: str,
    clocks: Clocks,
    deadline: int,
    trust: ssl.SSLContext | None,
) -> tuple[socket.socket, Answer]:
    """The connection with TLS on top, and the answer with what that told."""
    import ssl

    began = clocks.steady_ns()
    try:
        sock.settimeout(max(clocks.left_s(deadline), 0.001))
        secured = (trust or any_certificate()).wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        return sock, replace(
            answer, outcome=Outcome.BAD_TLS, detail=f"certificate: {error.verify_message}"[:120]
        )
    except (OSError, ValueError) as error:  # ValueError: a host that no certificate can name
        reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else ""
        detail = reason.lower().replace("_", " ") or _broken_off(error)
        return sock, replace(answer, outcome=Outcome.BAD_TLS, detail=f"TLS: {detail}"[:120])
    der = secured.getpeercert(binary_form=True)
    expires_ms = certificate_end_ms(der) if der else None
    return secured, replace(answer, tls_ms=clocks.since_ms(began), expires_ms=expires_ms)


def _broken_off(error: Exception) -> str:
    """A few words for an error in the middle of a conversation."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "broken off" if isinstance(error, OSError) else str(error)[:60]


def _http(
    sock: socket.socket, answer: Answer, target: Target, verb: bytes, clocks: Clocks, deadline: int
) -> Answer:
    """Send one request and read the first line of the reply, nothing more."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    if target.port != (443 if target.secure else 80):
        host += f":{target.port}"
    request = (
        b"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: hatang-agent\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    began = clocks.steady_ns()
    line = b""
    first_ms: float | None = None
    try:
        sock.settimeout(max(clocks.left_s(deadline), 0.001))
        sock.sendall(request % (verb, target.path.encode("ascii"), host.encode("ascii")))
        while b"\n" not in line and len(line) < _STATUS_LINE_BYTES and clocks.left_s(deadline) > 0:
            sock.settimeout(max(clocks.left_s(deadline), 0.001))
            piece = sock.recv(_STATUS_LINE_BYTES - len(line))
            if first_ms is None:
                first_ms = clocks.since_ms(began)
            if not piece:
                break
            line += piece
    except OSError as error:
        return replace(answer, outcome=Outcome.NOT_HTTP, detail=f"HTTP: {_broken_off(error)}")
    status = status_of(line)
    if status is None:
        detail = "HTTP: not an HTTP reply" if line else "HTTP: closed without a reply"
        return replace(answer, outcome=Outcome.NOT_HTTP, detail=detail)
    location = _location(sock, line, clocks, deadline) if status in _MOVED else ""
    detail = f"status {status}"
    return replace(answer, first_byte_ms=first_ms, status=status, detail=detail, location=location)


def _location(sock: socket.socket, begun: bytes, clocks: Clocks, deadline: int) -> str:
    """Where a redirect leads, '' when the head of the reply does not tell."""
    head = begun
    try:
        while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES and clocks.left_s(deadline) > 0:
            sock.settimeout(max(clocks.left_s(deadline), 0.001))
            piece = sock.recv(_HEAD_BYTES - len(head))
            if not piece:
                break
            head += piece
    except OSError:
        return ""
    found = re.search(rb"(?im)^location:[ \t]*([!-~]+)[ \t]*\r?$", head.partition(b"\r\n\r\n")[0])
    return found[1].decode("ascii") if found else ""


def status_of(line: bytes) -> int | None:
    """The status of the first line of an HTTP reply, None when it is none."""
    words = line.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit() or len(words[1]) != 3:
        return None
    return int(words[1])


# The end of a certificate: four steps into its DER, where the standard library only looks after trusting it.


def certificate_end_ms(der: bytes) -> int | None:
    """``notAfter`` of an X.509 certificate in UTC milliseconds; None when it cannot be read (RFC 5280)."""
    try:
        outer, _ = _element(der, 0)
        start, _ = _element(der, outer[0])
        at = start[0]
        if der[at] == 0xA0:  # version
            at = _element(der, at)[1]
        for _ in range(3):  # serial number, signature, issuer
            at = _element(der, at)[1]
        validity, _ = _element(der, at)
        after_start = _element(der, validity[0])[1]
        content, _ = _element(der, after_start)
        return _time_ms(der[after_start], der[content[0] : content[1]])
    except (IndexError, ValueError):
        return None


def _element(der: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Where the content of the element at a place begins and ends, and where the next one begins."""
    length = der[at + 1]
    begin = at + 2
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(der[begin : begin + octets], "big")
        begin += octets
    if begin + length > len(der):
        raise ValueError("cut off")
    return (begin, begin + length), begin + length


def _time_ms(tag: int, text: bytes) -> int:
    """UTCTime (23) or GeneralizedTime (24) of a certificate; both end in Z."""
    digits = text.decode("ascii").rstrip("Z")
    if tag == 23:
        digits = ("19" if int(digits[:2]) >= 50 else "20") + digits
    parts = [int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))]
    return calendar.timegm((*parts, 0, 0, 0)) * 1000
