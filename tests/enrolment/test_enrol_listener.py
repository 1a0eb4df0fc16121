"""The way of the secret: agent and enrolment listener over real TLS, and whoever may stand between them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_send.certificates import Authority as OtherAuthority
from enrolment.desk import AGENT, REPLY, WANTED, Desk, desk_of
from hatang_agent.__main__ import main
from hatang_agent.enrolment import EnrolmentError, checked_pin, enrol
from hatang_agent.identity import load_credential
from hatang_agent.wire.messages import EnrolReply, EnrolRequest
from hatang_collector.broker.certificates import Authority, fingerprint
from hatang_collector.broker.enrol import EnrolRefusal, EnrolRefused
from hatang_collector.ledger.errors import LedgerUnavailable
from support.stack import now_ms

DAY_MS = 86_400_000
POST = b"POST /api/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def refused(desk: Desk, pin: str = "", url: str = "") -> str:
    """Why the agent did not enrol, in one line; no request may have reached the collector."""
    with pytest.raises(EnrolmentError) as caught:
        enrol(url or desk.url, WANTED, pin=pin or desk.pin)

    told = str(caught.value)
    assert "\n" not in told
    assert desk.asked == []
    return told


def test_a_machine_enrols_by_the_pin(desk: Desk) -> None:
    """Nothing but address, pin and token is needed; the request arrives whole."""
    reply, credential = enrol(desk.url, WANTED, pin=desk.pin)

    assert reply == REPLY
    assert desk.asked == [WANTED]
    assert (credential.agent, credential.url) == (AGENT, desk.url)


def test_the_command_takes_the_pin(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line that a collector prints works as it is, and the credential is written."""
    state = tmp_path / "state"
    words = ["enroll", "--url", desk.url, "--pin", desk.pin, "--token", "T", "--state", str(state)]

    assert main([*words, "--label", "Kế toán 2", "--staff-group", "cbcc"]) == 0
    assert (desk.asked[0].token, desk.asked[0].staff_group) == ("T", "cbcc")
    credential = load_credential(state)
    assert credential is not None
    assert credential.agent == AGENT
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("pin", ["", "abc", "0" * 31])
def test_the_command_refuses_a_pin_that_proves_nothing(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], pin: str
) -> None:
    """Too short, or lost by the shell: an error, never an enrolment without a check."""
    words = ["enroll", "--url", desk.url, "--pin", pin, "--token", "T", "--state", str(tmp_path / "state")]

    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "32 to 64 hex digits" in told
    assert desk.asked == []


@given(
    st.binary(min_size=32, max_size=32), st.integers(32, 64), st.sampled_from(["", ":", " "]), st.booleans()
)
def test_a_pin_is_the_same_in_any_spelling(digest: bytes, length: int, separator: str, upper: bool) -> None:
    """Capitals, colons and spaces change nothing; one digit less than 32 is refused."""
    digits = digest.hex()[:length]
    typed = separator.join(digits[at : at + 2] for at in range(0, length, 2))

    assert checked_pin(f" {typed.upper() if upper else typed}\n") == digits
    with pytest.raises(EnrolmentError):
        checked_pin(digits[:31])


@pytest.mark.parametrize("pin", ["g" * 32, "0" * 65, "０" * 32, "ab" * 15 + "a.b"])
def test_what_is_no_pin_is_refused(pin: str) -> None:
    """Other letters, more digits than SHA-256 has, digits of other scripts."""
    with pytest.raises(EnrolmentError, match="hex digits"):
        checked_pin(pin)


@pytest.mark.parametrize("length", [32, 40, 64])
def test_a_wrong_last_digit_is_a_wrong_pin(desk: Desk, length: int) -> None:
    """Every digit given is compared; nothing is sent and the person is told both pins."""
    right = fingerprint(desk.ca_pem)[:length]
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")

    told = refused(desk, wrong)

    assert f"has the pin {right}, not {wrong}" in told
    assert "nothing was sent" in told


def test_a_man_in_the_middle_with_his_own_authority_gets_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    """He shows an authority of his own under the collector's address: its pin is another one."""
    pin = fingerprint(authority.ca_pem(now_ms()))[:32]
    with desk_of(Authority(tmp_path / "other")) as middle:
        told = refused(middle, pin)

    assert f"not {pin}; nothing was sent" in told


def test_a_man_in_the_middle_with_our_authority_gets_nothing(authority: Authority, tmp_path: Path) -> None:
    """He passes the collector's true certificate on, but cannot speak under it."""
    with desk_of(Authority(tmp_path / "other"), shown_ca=authority.ca_pem(now_ms())) as middle:
        told = refused(middle)

    assert "somebody may be in between; nothing was sent" in told


def test_a_bundle_of_authorities_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    """Ours with another one behind it: only what was compared would count, and that is neither."""
    other = Authority(tmp_path / "other")
    ours = authority.ca_pem(now_ms())
    with desk_of(other, shown_ca=ours + other.ca_pem(now_ms())) as middle:
        told = refused(middle, fingerprint(ours)[:32])

    assert "nothing was sent" in told or "not a certificate" in told


def test_an_address_that_is_not_in_the_certificate(desk: Desk) -> None:
    """The cause is told with the setting that helps."""
    told = refused(desk, url=f"https://localhost:{desk.port}")

    assert "[broker] names" in told


@pytest.mark.parametrize("days", [-500, 100])
def test_a_clock_that_is_wrong(authority: Authority, days: int) -> None:
    """A certificate of another time hints at the clock, not at an attack."""
    with desk_of(authority, made_ms=now_ms() + days * DAY_MS) as desk:
        told = refused(desk)

    assert "is the clock of this machine right?" in told


def test_plain_http_is_refused(desk: Desk) -> None:
    """A pin does not make plain HTTP good, and the listener does not speak it."""
    assert "a pin is for https" in refused(desk, url=desk.url.replace("https", "http"))
    with pytest.raises(EnrolmentError, match="cannot be reached"):
        enrol(desk.url.replace("https", "http"), WANTED)
    with socket.create_connection(("127.0.0.1", desk.port), 10) as plain:
        plain.sendall(POST + b"Content-Length: 2\r\n\r\n{}")
        assert b"HTTP" not in plain.recv(1000)
    assert desk.asked == []


def redirecting(tmp_path: Path, authority: OtherAuthority, path: str, seen: list[str]) -> Iterator[str]:
    """An HTTPS server that sends everybody who asks for ``path`` elsewhere; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == path:
                self.send_response(307)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(authority.pem.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = authority.server_context(tmp_path, "127.0.0.1").wrap_socket(
            server.socket, server_side=True
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("path", ["/ca.pem", "/api/v1/enrol"])
def test_a_redirect_is_not_followed(tmp_path: Path, path: str) -> None:
    """Neither for the certificate nor for the secret."""
    authority, seen = OtherAuthority.make(), list[str]()
    for url in redirecting(tmp_path, authority, path, seen):
        with pytest.raises(EnrolmentError, match="HTTP 307"):
            enrol(url, WANTED, pin=fingerprint(authority.pem)[:32])

    assert seen[-1].endswith(path)
    assert not any("elsewhere" in line for line in seen)


def test_the_address_of_something_else(tmp_path: Path) -> None:
    """A server without our certificate file is named as that."""
    authority, seen = OtherAuthority.make(), list[str]()
    with desk_of(Authority(tmp_path / "keys"), shown_ca="<html>router</html>") as router:
        with pytest.raises(EnrolmentError, match="not a certificate; check the address"):
            enrol(router.url, WANTED, pin=fingerprint(authority.pem)[:32])
        assert router.asked == []
    assert seen == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EnrolRefused(EnrolRefusal.TOKEN_EXPIRED, "ask for a new one"), "token_expired; ask for a new one"),
        (
            LedgerUnavailable("postgresql://secret@host is away"),
            "the collector's ledger does not answer; try again in a minute",
        ),
    ],
)
def test_a_refusal_reaches_the_person(desk: Desk, error: Exception, expected: str) -> None:
    """In the collector's words, without its inner matters."""

    def refuse(_request: EnrolRequest, _now_ms: int) -> EnrolReply:
        raise error

    desk.answer = refuse
    with pytest.raises(EnrolmentError) as caught:
        enrol(desk.url, WANTED, pin=desk.pin)

    assert str(caught.value) == f"{desk.url}: {expected}"


def body_of(size: int, chunked: bool) -> bytes:
    """A request with a body of so many bytes."""
    body = b'{"token":"' + b"x" * (size - 12) + b'"}'
    if not chunked:
        return POST + b"Content-Length: %d\r\n\r\n" % size + body
    pieces = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 1024]), body[at : at + 1024]) for at in range(0, size, 1024)
    )
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_17_kb_is_refused(desk: Desk, chunked: bool) -> None:
    """However it is sent; the reason is told and the enroller never sees it."""
    answered = desk.ask(body_of(17 * 1024, chunked))

    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"more than 16384 bytes" in answered
    assert desk.asked == []


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /", 404),
        (b"GET /api/v1/machines", 404),
        (b"GET /login", 404),
        (b"GET /metrics", 404),
        (b"GET /api/v1/enrol", 405),
        (b"POST /ca.pem", 405),
        (b"GET /../keys/ca.key", 404),
        (b"GET /ca.key", 404),
        (b"GET /ca.pem", 200),
    ],
)
def test_nothing_else_is_served(desk: Desk, request_line: bytes, status: int) -> None:
    """Two routes and no pages, whatever is asked for."""
    answered = desk.ask(request_line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answered.split(b" ")[1] == str(status).encode()
    assert (desk.ca_pem.encode() in answered) is (status == 200)


@pytest.mark.parametrize("sent", [b"", b"POST /api/v1/enrol HTT", POST + b"Content-Length: 50\r\n\r\n{"])
def test_a_slow_client_is_hung_up_on(authority: Authority, sent: bytes) -> None:
    """Silence, half a head or half a body: the connection ends, and others are served meanwhile."""
    with desk_of(authority, connection_s=1.0) as desk, desk.connect() as slow:
        slow.sendall(sent)
        enrol(desk.url, WANTED, pin=desk.pin)
        rest = b""
        try:
            while part := slow.recv(1000):
                rest += part
        except ConnectionError:  # hung up on without ceremony
            pass

        assert rest == b""
        assert len(desk.asked) == 1


def test_two_machines_at_once(desk: Desk) -> None:
    """Neither waits for the other: each is answered only once both have arrived."""
    both = threading.Barrier(2, timeout=10)

    def meet(_request: EnrolRequest, _now_ms: int) -> EnrolReply:
        both.wait()
        return REPLY

    desk.answer = meet
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: enrol(desk.url, WANTED, pin=desk.pin)[0], range(2)))

    assert replies == [REPLY, REPLY]
    assert len(desk.asked) == 2
