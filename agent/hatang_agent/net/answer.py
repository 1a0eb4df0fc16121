"""What became of one question to a host: the same words for every method."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hatang_agent.net.path import Tied


class Outcome(StrEnum):
    """How a question ended, as far as it came."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """The host said no: nothing listens at this port. So the network carried us to it and back."""
    BAD_TLS = "bad_tls"
    """The host was reached, the encrypted connection was not made."""
    NOT_HTTP = "not_http"
    """The host was reached, what it said is not HTTP, or it said nothing in time."""
    UNREACHABLE = "unreachable"
    """The system or a router says that there is no way."""
    TIMEOUT = "timeout"
    NO_NAME = "no_name"
    """Its name has no address, or nobody tells it."""
    NOT_SENT = "not_sent"
    """The system would not send it; nothing is known about the network."""


_HEARD: Final = frozenset({Outcome.ANSWERED, Outcome.REFUSED, Outcome.BAD_TLS, Outcome.NOT_HTTP})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one question.

    Times are in milliseconds, None for what it did not come to: ``rtt_ms`` is one round to the host
    (echo, connection, or the question to a name server), ``tls_ms`` the handshake, ``first_byte_ms`` from
    the request to the first line of the reply. ``status`` is that of HTTP, ``expires_ms`` the end of the
    host's certificate (UTC). ``detail`` is a few English words for people, ``peer`` the address asked.
    ``addresses`` are what a name server told, ``location`` is where a redirect of HTTP leads.
    """

    outcome: Outcome
    detail: str = ""
    peer: str = ""
    tied: Tied = Tied.NOTHING
    rtt_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    status: int | None = None
    expires_ms: int | None = None
    addresses: tuple[str, ...] = ()
    location: str = ""

    @property
    def heard(self) -> bool:
        """Whether the host was heard at all: the network reaches it, whatever its service does."""
        return self.outcome in _HEARD

    @property
    def total_ms(self) -> float | None:
        """All that was waited for, None when the host was not heard."""
        parts = [one for one in (self.rtt_ms, self.tls_ms, self.first_byte_ms) if one is not None]
        return sum(parts) if parts else None


_NO_WAY: Final = frozenset(
    {
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.ENONET if hasattr(errno, "ENONET") else errno.ENETDOWN,
        10051,  # WSAENETUNREACH
        10065,  # WSAEHOSTUNREACH
    }
)
_SAID_NO: Final = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, 10054, 10061})


def of_error(error: OSError) -> tuple[Outcome, str]:
    """The outcome that an error of a socket stands for, and a few words."""
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return Outcome.TIMEOUT, "no answer"
    if isinstance(error, socket.gaierror):
        return Outcome.NO_NAME, "the name has no address"
    if error.errno in _SAID_NO:
        return Outcome.REFUSED, "refused"
    if error.errno in _NO_WAY:
        return Outcome.UNREACHABLE, "unreachable"
    return Outcome.NOT_SENT, (error.strerror or type(error).__name__)[:80]


@dataclass(frozen=True, slots=True)
class Echoes:
    """What became of several echo requests to one address.

    ``rtts_ms`` has a place for every request in the order of sending, None where no reply came in time.
    ``engine`` names what sent them: ``raw``, ``ping`` (a datagram socket), ``api`` (Windows) or
    ``next_hop``; ``kernel`` tells whether replies were timed by the kernel.
    """

    rtts_ms: tuple[float | None, ...] = ()
    outcome: Outcome = Outcome.TIMEOUT
    detail: str = ""
    peer: str = ""
    tied: Tied = Tied.NOTHING
    engine: str = ""
    kernel: bool = False

    @property
    def heard(self) -> bool:
        """Whether at least one reply came."""
        return any(one is not None for one in self.rtts_ms)

    @property
    def came(self) -> tuple[float, ...]:
        """The round trips of the replies that came, in order, in milliseconds."""
        return tuple(one for one in self.rtts_ms if one is not None)
