"""Real servers of this test are asked: what is heard and timed, and that no more is said than needed."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.net import reach
from hatang_agent.net.answer import Outcome
from hatang_agent.net.clocks import Clocks
from hatang_agent.net.path import NetPath, Tied
from hatang_agent.net.targets import parse
from support.wait import until

KEY = ec.generate_private_key(ec.SECP256R1())
LOOPBACK = NetPath("lo", "lo", ipv4="127.0.0.1", ipv6="::1")
END = datetime(2031, 5, 17, 8, 30, tzinfo=UTC)


def certificate(end: datetime, name: str = "localhost") -> x509.Certificate:
    """One that signed itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(KEY, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of a server in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(key + certificate(END).public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def served(
    talk: Callable[[socket.socket], None], pem: Path | None = None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """A server that talks to each connection in turn; its port."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    secured = context.wrap_socket(connection, server_side=True) if context else connection
                    with secured:
                        talk(secured)
                except OSError:
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def says(reply: bytes, heard: list[bytes]) -> Callable[[socket.socket], None]:
    """A server that keeps what it hears and says one thing."""

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(reply)

    return talk


def silent(connection: socket.socket) -> None:
    """A server that says nothing until the other end has gone."""
    connection.recv(4096)
    connection.recv(4096)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_is_timed_and_tied(clocks: Clocks, host: str) -> None:
    """The kernel's round trip, by the interface that was asked for."""
    with served(lambda _: None, host=host) as port:
        written = f"[{host}]" if ":" in host else host
        answer = reach.ask(parse(f"x tcp {written}:{port}"), host, clocks, 2, LOOPBACK)
    assert (answer.outcome, answer.tied, answer.peer) == (Outcome.ANSWERED, Tied.DEVICE, host)
    assert answer.rtt_ms is not None
    assert 0 < answer.rtt_ms < 100


def test_a_bare_connection_says_nothing_and_hangs_up_at_once(clocks: Clocks) -> None:
    """The server hears no byte and sees a reset, which costs one packet."""
    ended: list[object] = []

    def talk(connection: socket.socket) -> None:
        try:
            ended.append(connection.recv(10))
        except ConnectionResetError as error:
            ended.append(type(error))

    with served(talk) as port:
        assert reach.ask(parse(f"x tcp 127.0.0.1:{port}"), "127.0.0.1", clocks, 2).heard
        until(lambda: ended, 5, "the server has seen the end")
    assert ended == [ConnectionResetError]


def test_a_refused_port_was_reached(clocks: Clocks) -> None:
    """With the time of the round trip, unlike an address that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        answer = reach.ask(parse(f"x tcp 127.0.0.1:{port}"), "127.0.0.1", clocks, 2)
    assert (answer.outcome, answer.heard, answer.detail) == (Outcome.REFUSED, True, "refused")
    assert answer.rtt_ms is not None


def test_a_listener_with_no_room_is_a_time_out(clocks: Clocks) -> None:
    """Nothing came back: not heard, without a time."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        answer = reach.ask(parse(f"x tcp 127.0.0.1:{address[1]}"), "127.0.0.1", clocks, 0.2)
        for one in waiting:
            one.close()
    assert (answer.outcome, answer.heard, answer.rtt_ms) == (Outcome.TIMEOUT, False, None)


def test_a_path_without_the_address_is_not_sent(clocks: Clocks) -> None:
    """An address that went away says nothing about the network."""
    gone = NetPath("lo", "lo", ipv4="192.0.2.77")
    answer = reach.ask(parse("x tcp 127.0.0.1:9"), "127.0.0.1", clocks, 1, gone)
    assert answer.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 200),
        (b"HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n", 302),
        (b"HTTP/1.1 503\r\n\r\n", 503),
        (b"HTTP/1.1 401 No\r\n\r\n", 401),
    ],
)
def test_the_status_of_a_page_is_asked_by_head(clocks: Clocks, reply: bytes, status: int) -> None:
    """One HEAD without a login; a status that says no is an answer as well."""
    heard: list[bytes] = []
    with served(says(reply, heard)) as port:
        answer = reach.ask(parse(f"x http http://localhost:{port}/a?b=c"), "127.0.0.1", clocks, 2)
    assert (answer.outcome, answer.status) == (Outcome.ANSWERED, status)
    assert answer.rtt_ms is not None
    assert answer.first_byte_ms is not None
    assert answer.total_ms == pytest.approx(answer.rtt_ms + answer.first_byte_ms)
    (request,) = heard
    lines = request.decode().split("\r\n")
    assert lines[0] == "HEAD /a?b=c HTTP/1.1"
    assert f"Host: localhost:{port}" in lines
    assert not [line for line in lines if line.lower().startswith(("authorization", "cookie"))]


def test_a_server_that_knows_no_head_is_asked_by_get(clocks: Clocks) -> None:
    """And only the first line of its reply is waited for."""
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        request = connection.recv(4096)
        heard.append(request.split()[0])
        connection.sendall(
            b"HTTP/1.1 405 No\r\n\r\n" if request.startswith(b"HEAD") else b"HTTP/1.1 200 OK\r\n"
        )

    with served(talk) as port:
        assert reach.ask(parse(f"x http http://localhost:{port}/"), "127.0.0.1", clocks, 2).status == 200
    assert heard == [b"HEAD", b"GET"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"SSH-2.0-x\r\n", "not an HTTP reply"),
        (b"", "closed without a reply"),
        (b"HTTP/1.1 2000 OK\r\n", "not an HTTP reply"),
        (b"x" * 5000, "not an HTTP reply"),
    ],
)
def test_what_is_no_http_was_reached(clocks: Clocks, reply: bytes, said: str) -> None:
    """The host is there, its service is not what was expected."""
    with served(says(reply, [])) as port:
        answer = reach.ask(parse(f"x http http://localhost:{port}/"), "127.0.0.1", clocks, 2)
    assert (answer.outcome, answer.heard, answer.status) == (Outcome.NOT_HTTP, True, None)
    assert said in answer.detail


def test_a_silent_server_costs_its_time_and_no_more(clocks: Clocks) -> None:
    """The whole conversation is bounded."""
    with served(silent) as port:
        began = clocks.steady_ns()
        answer = reach.ask(parse(f"x http http://localhost:{port}/"), "127.0.0.1", clocks, 0.3)
        took_ms = clocks.since_ms(began)
    assert (answer.outcome, answer.detail) == (Outcome.NOT_HTTP, "HTTP: no answer in time")
    assert 250 < took_ms < 1500


def test_tls_tells_its_time_and_the_certificates_end(clocks: Clocks, pem: Path) -> None:
    """Any certificate is believed where only the network is asked for."""
    with served(silent, pem) as port:
        answer = reach.ask(parse(f"x tls localhost:{port}"), "127.0.0.1", clocks, 2)
    assert answer.outcome is Outcome.ANSWERED
    assert answer.tls_ms is not None
    assert answer.tls_ms > 0
    assert answer.expires_ms == int(END.timestamp() * 1000)


def test_http_inside_tls(clocks: Clocks, pem: Path) -> None:
    """Connection, handshake and first byte each with its time."""
    with served(says(b"HTTP/1.1 200 OK\r\n\r\n", []), pem) as port:
        answer = reach.ask(parse(f"x http https://localhost:{port}/"), "127.0.0.1", clocks, 2)
    assert answer.status == 200
    assert None not in (answer.rtt_ms, answer.tls_ms, answer.first_byte_ms)


def test_a_certificate_is_judged_where_trust_is_asked_for(clocks: Clocks, pem: Path) -> None:
    """Not believed: reached, with the reason; believed with the right anchor."""
    target_of = "x tls localhost:{}"
    with served(silent, pem) as port:
        doubting = ssl.create_default_context()
        answer = reach.ask(parse(target_of.format(port)), "127.0.0.1", clocks, 2, trust=doubting)
        assert (answer.outcome, answer.heard) == (Outcome.BAD_TLS, True)
        assert answer.detail.startswith("certificate: self-signed")
        trusting = ssl.create_default_context(cafile=str(pem))
        assert reach.ask(parse(target_of.format(port)), "127.0.0.1", clocks, 2, trust=trusting).tls_ms


def test_a_port_without_tls_was_reached(clocks: Clocks) -> None:
    """The handshake fails, the network does not."""
    with served(says(b"HTTP/1.1 400 Bad Request\r\n\r\n", [])) as port:
        answer = reach.ask(parse(f"x tls localhost:{port}"), "127.0.0.1", clocks, 2)
    assert (answer.outcome, answer.heard) == (Outcome.BAD_TLS, True)
    assert answer.detail.startswith("TLS: ")


@given(st.integers(0, 36_000 * 86_400))
def test_the_end_of_any_certificate_is_read(seconds: int) -> None:
    """Both ways of writing a time (until 2049, and after it), as a library for certificates reads it."""
    made = certificate(datetime(2021, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
    der = made.public_bytes(serialization.Encoding.DER)
    assert reach.certificate_end_ms(der) == int(made.not_valid_after_utc.timestamp() * 1000)


@given(st.binary(max_size=60), st.integers(0, 400))
def test_a_broken_certificate_is_not_read(noise: bytes, cut: int) -> None:
    """Nothing instead of a wrong date, whatever the bytes are."""
    assert reach.certificate_end_ms(noise) is None
    der = certificate(datetime(2040, 1, 1, tzinfo=UTC)).public_bytes(serialization.Encoding.DER)
    assert reach.certificate_end_ms(der[: min(cut, len(der) - 1)]) is None


def test_echoes_are_asked_for_elsewhere(clocks: Clocks) -> None:
    """A mistake of ours is told as one."""
    with pytest.raises(ValueError, match=r"net\.icmp"):
        reach.ask(parse("x icmp 127.0.0.1"), "127.0.0.1", clocks, 1)


def test_the_kernels_time_is_the_one_of_tcp_info(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """tcpi_rtt where it can be true, our own time where it cannot."""

    class Told(socket.socket):
        microseconds = 0

        def getsockopt(self, level: int, name: int, size: int = 0) -> bytes:  # type: ignore[override]
            assert (level, name, size) == (socket.IPPROTO_TCP, socket.TCP_INFO, 104)
            return b"\0" * 68 + struct.pack("=I", self.microseconds) + b"\0" * 32

    with served(lambda _: None) as port:
        monkeypatch.setattr(socket, "socket", Told)
        for microseconds, expected in ((1, 0.001), (0, None), (10_000_000, None)):
            Told.microseconds = microseconds
            answer = reach.ask(parse(f"x tcp 127.0.0.1:{port}"), "127.0.0.1", clocks, 2)
            assert answer.rtt_ms is not None
            assert (answer.rtt_ms == expected) is (expected is not None)
            assert answer.rtt_ms < 1000
