"""Echo requests by the IP Helper API of Windows, which needs no rights: IcmpSendEcho2Ex, Icmp6SendEcho2.

Written against Microsoft's pages "IcmpSendEcho2Ex function (icmpapi.h)", "Icmp6SendEcho2 function" and
"ICMP_ECHO_REPLY structure (ipexport.h)". **Never run on Windows**: the tests run the reading of replies
on bytes made after those pages.

The API tells whole milliseconds only, so replies are timed by the steady clock around the call. The
source address chooses the interface: a host that sends as Windows does since Vista ("strong host
sends") uses no other one.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from typing import Any, Final

from hatang_agent.net.answer import Echoes, Outcome
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import NetPath, Tied

_REPLY_BYTES: Final = 256
_TOKEN: Final = b"htng"
_SUCCESS: Final = 0
_NO_WAY: Final = frozenset({11002, 11003, 11004, 11005, 11013})
"""IP_DEST_NET_UNREACHABLE, …_HOST_…, …_PROT_…, …_PORT_…, IP_TTL_EXPIRED_TRANSIT."""
_TIMED_OUT: Final = 11010
_STATUS_AT: Final = {socket.AF_INET: 4, socket.AF_INET6: 28}
"""Where Status lies: after Address in ICMP_ECHO_REPLY, after IPV6_ADDRESS_EX and its padding in ICMPV6_…."""


def ping(
    address: str, clocks: Clocks, path: NetPath, *, count: int, gap_s: float, timeout_s: float
) -> Echoes:
    """Echo requests one after the other, each waited for before the next. Never raises."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    source = path.source(family)
    tied = Tied.DEVICE if source else Tied.NOTHING
    if path.straight:
        return Echoes((), Outcome.NOT_SENT, "this system has one next hop for an interface", address)
    try:
        echo = Echo(family, source, address, path.index)
    except OSError:
        return Echoes((), Outcome.NOT_SENT, "the system's echo API does not answer", address)
    rtts: list[float | None] = []
    status = _TIMED_OUT
    try:
        for number in range(count):
            if number:
                threading.Event().wait(gap_s)
            began = clocks.steady_ns()
            status = echo.send(int(timeout_s * 1000))
            took_ms = clocks.since_ms(began)
            rtts.append(took_ms if status == _SUCCESS else None)
    finally:
        echo.close()
    return Echoes(tuple(rtts), *outcome_of(rtts, status), address, tied, "api")


def outcome_of(rtts: list[float | None], status: int) -> tuple[Outcome, str]:
    """What the replies come to, from the last one's status where none is good."""
    if any(one is not None for one in rtts):
        return Outcome.ANSWERED, ""
    if status in _NO_WAY:
        return Outcome.UNREACHABLE, "unreachable"
    if status == _TIMED_OUT:
        return Outcome.TIMEOUT, "no answer"
    return Outcome.NOT_SENT, f"the echo API answers {status}"


def status_of(family: int, reply: bytes) -> int:
    """The status in the bytes of a reply; too few of them count as timed out."""
    at = _STATUS_AT[socket.AddressFamily(family)]
    if len(reply) < at + 4:
        return _TIMED_OUT
    return int(struct.unpack_from("<I", reply, at)[0])


class Echo:
    """The API opened for one source and destination. Raises OSError where there is none."""

    def __init__(self, family: int, source: str, address: str, index: int) -> None:
        library = getattr(ctypes, "WinDLL", None)
        if library is None:
            raise OSError("only Windows has this API")
        self._api: Any = library("iphlpapi", use_last_error=True)
        self._family = family
        six = family == socket.AF_INET6
        create = self._api.Icmp6CreateFile if six else self._api.IcmpCreateFile
        create.restype = ctypes.c_void_p
        self._handle = create()
        if self._handle in (None, ctypes.c_void_p(-1).value):
            raise OSError("no handle")
        self._call = self._api.Icmp6SendEcho2 if six else self._api.IcmpSendEcho2Ex
        self._ends = (endpoint(family, source, index), endpoint(family, address, index))
        self._reply = ctypes.create_string_buffer(_REPLY_BYTES)

    def send(self, timeout_ms: int) -> int:
        """One request; the status of its reply, or of the failure."""
        handle = ctypes.c_void_p(self._handle)
        rest = (_TOKEN, len(_TOKEN), None, self._reply, _REPLY_BYTES, timeout_ms)
        if self._call(handle, None, None, None, *self._ends, *rest):
            return status_of(self._family, self._reply.raw)
        last: int = vars(ctypes)["get_last_error"]()
        return last or _TIMED_OUT

    def close(self) -> None:
        """Give the handle back."""
        self._api.IcmpCloseHandle(ctypes.c_void_p(self._handle))


def endpoint(family: int, address: str, index: int) -> Any:
    """An address as the API takes it: IPAddr (a number) or a SOCKADDR_IN6; '' is any."""
    if family == socket.AF_INET:
        raw = socket.inet_aton(address) if address else b"\0" * 4
        return ctypes.c_uint32(struct.unpack("<I", raw)[0])
    raw = socket.inet_pton(socket.AF_INET6, address.partition("%")[0]) if address else b"\0" * 16
    scope = index if address.lower().startswith("fe80") else 0
    af_inet6 = 23  # of Windows
    return ctypes.create_string_buffer(struct.pack("<HHI16sI", af_inet6, 0, 0, raw, scope), 28)
