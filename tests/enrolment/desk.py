"""The enrolment listener for tests: real TLS on a free port, and somebody behind it who notes what comes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hatang_agent.wire.messages import BrokerAddress, EnrolReply, EnrolRequest
from hatang_collector.broker.certificates import Authority, fingerprint
from hatang_collector.web.enrol_server import CONNECTION_S, EnrolServer, create_app
from support.stack import now_ms

AGENT = "abcdefgh234567aa"
REPLY = EnrolReply(AGENT, "5e" * 32, "pc", (BrokerAddress("127.0.0.1", 8883),), "PEM")
WANTED = EnrolRequest("token-secret", "0.1.0", "Kế toán 2", staff_group="cbcc")


@dataclass
class Desk:
    """A listener and what it was asked; ``answer`` may be replaced."""

    port: int
    ca_pem: str
    asked: list[EnrolRequest] = field(default_factory=list)
    answer: Callable[[EnrolRequest, int], EnrolReply] = lambda _request, _now: REPLY

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def pin(self) -> str:
        """Of the authority it should have, as a line to run carries it."""
        return fingerprint(self.ca_pem)[:32]

    def give(self, request: EnrolRequest, at_ms: int) -> EnrolReply:
        """Stands for the enroller."""
        self.asked.append(request)
        return self.answer(request, at_ms)

    def connect(self) -> ssl.SSLSocket:
        """A TLS connection that trusts the authority, for requests that no good client sends."""
        context = ssl.create_default_context(cadata=self.ca_pem)
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def ask(self, request: bytes) -> bytes:
        """Everything that is answered until the listener hangs up."""
        answered = b""
        with self.connect() as connection:
            connection.sendall(request)
            while part := connection.recv(65_536):
                answered += part
        return answered


@contextmanager
def desk_of(
    authority: Authority,
    *,
    shown_ca: str = "",
    names: tuple[str, ...] = ("127.0.0.1",),
    made_ms: int = 0,
    connection_s: float = CONNECTION_S,
) -> Iterator[Desk]:
    """A running listener under an authority; ``shown_ca`` is what it shows instead of the authority's own."""
    certificate = authority.server_certificate(names, made_ms or now_ms())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        desk = Desk(listener.getsockname()[1], shown_ca or certificate.ca_pem)
        app = create_app(desk.ca_pem, desk.give, now_ms)
        server = EnrolServer(app, listener, authority.server_files, connection_s=connection_s)
        server.start()
        try:
            yield desk
        finally:
            server.stop()
