"""Programs of an office as real servers of the test: HTTP, HTTPS with good and bad certificates, odd ones."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK: Final = "127.0.0.1"
HOST: Final = "qlvb.example.vn"
DAY: Final = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    """UTC now."""
    return datetime.datetime.now(datetime.UTC)


def page(status: str = "200 OK", *heads: str, body: bytes = b"") -> bytes:
    """An HTTP reply."""
    lines = [f"HTTP/1.1 {status}", *heads, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Program:
    """A server on a loopback port; ``answer`` makes the reply of a request, None leaves it unanswered."""

    answer: Callable[[bytes], bytes | None]
    context: ssl.SSLContext | None = None
    greets: bool = True
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    sent: int = 0

    def __post_init__(self) -> None:
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            worker = threading.Thread(target=self._talk, args=(connection,))
            self._threads.append(worker)
            worker.start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                if not self.greets:
                    self._over.wait(10)
                    return
                if self.context is not None:
                    connection = self.context.wrap_socket(connection, server_side=True)
                request = connection.recv(4096)
                if not request:
                    return
                self.heard.append(request)
                reply = self.answer(request)
                if reply is None:
                    self._over.wait(10)
                    return
                while reply:
                    count = connection.send(reply[: 64 * 1024])
                    self.sent += count
                    reply = reply[count:]
            except OSError:
                return
            finally:
                connection.close()

    def stop(self) -> None:
        """End it and everything it serves."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def program(
    answer: Callable[[bytes], bytes | None] | bytes = page(),  # noqa: B008 - bytes do not change
    context: ssl.SSLContext | None = None,
    *,
    greets: bool = True,
) -> Iterator[Program]:
    """A server until the block ends."""
    reply = answer if callable(answer) else lambda _: answer
    server = Program(reply, context, greets)
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Office:
    """An authority that this machine believes, and certificates of it that are good or bad."""

    folder: Path

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        self._certificate = _certificate(self._name, self._name, self._key, self._key, ca=True)
        self._made = 0

    @property
    def trust(self) -> ssl.SSLContext:
        """What this machine believes."""
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server(
        self,
        *names: str,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        own: bool = False,
    ) -> ssl.SSLContext:
        """A server with a certificate for these names; with ``own`` it vouches for itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("test server")
        issuer, signer = (subject, key) if own else (self._name, self._key)
        certificate = _certificate(
            subject, issuer, key, signer, *(names or (HOST,)), since=since, until=until
        )
        self._made += 1
        file = self.folder / f"server-{self._made}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *names: str,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    ca: bool = False,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since or now() - 400 * DAY)
        .not_valid_after(until or now() + 100 * DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(signer, hashes.SHA256())
