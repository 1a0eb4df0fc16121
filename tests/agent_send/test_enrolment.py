"""Enrolment over real HTTP and HTTPS on this machine, and what is refused before a secret could leak."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent_send.agent_send_app import SECRET
from agent_send.agent_send_support import AGENT
from agent_send.certificates import Authority
from hatang_agent.__main__ import main
from hatang_agent.enrolment import EnrolmentError, checked_url, enrol
from hatang_agent.identity import load_credential
from hatang_agent.wire.messages import BrokerAddress, EnrolRequest

GOOD = {
    "agent": AGENT,
    "secret": SECRET,
    "role": "pc",
    "brokers": [{"host": "h", "port": 8883}],
    "ca_pem": "PEM",
}
WANTED = EnrolRequest("token", "0.1.0", "Kế toán 2")


@dataclass
class Hub:
    """A collector's enrolment route that answers what the test says."""

    url: str
    status: int = 200
    body: bytes = json.dumps(GOOD).encode()
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)


def serve(context: ssl.SSLContext | None = None) -> Iterator[Hub]:
    """Answer until the test ends."""
    hub = Hub("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hub.asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(hub.status)
            for name, value in hub.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(hub.body)

        def log_message(self, *_: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        hub.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A collector on plain HTTP, on loopback."""
    yield from serve()


def test_enrolment_gives_a_credential(hub: Hub) -> None:
    """The request carries the token and the label; the reply becomes the credential."""
    reply, given = enrol(hub.url, WANTED)

    assert hub.asked == [("/api/v1/enrol", {"token": "token", "version": "0.1.0", "label": "Kế toán 2"})]
    assert reply.agent == given.agent == AGENT
    assert (given.secret, given.role, given.ca_pem, given.url) == (SECRET, "pc", "PEM", hub.url)
    assert given.brokers == (BrokerAddress("h", 8883),)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://hub.example.vn:8080", "plain http"),
        ("http://10.0.0.5", "plain http"),
        ("http://127.0.0.1.evil.example", "plain http"),
        ("ftp://127.0.0.1", "not an address"),
        ("127.0.0.1:8080", "not an address"),
        ("https://user:pass@hub", "not an address"),
        ("https://hub/api", "without a path"),
        ("https://hub:99999", "not an address"),
        ("", "not an address"),
    ],
)
def test_addresses_that_must_not_be_used(url: str, expected: str) -> None:
    """A secret never travels in the clear over a network, and addresses are told apart from typing errors."""
    with pytest.raises(EnrolmentError, match=expected):
        checked_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80", "https://hub:8443"]
)
def test_addresses_that_may_be_used(url: str) -> None:
    """Loopback may be plain; everything else is https."""
    assert checked_url(url + "/") == url


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            403,
            b'{"error":"token_expired","hint":"ask the\\nadministrator"}',
            "token_expired; ask the administrator",
        ),
        (500, b"<html>oops</html>", "HTTP 500"),
        (404, b"[]", "HTTP 404"),
        (200, b"<html>a web server</html>", "not one of a collector"),
        (200, b'{"agent":1}', "not one of a collector"),
    ],
)
def test_refusals_are_one_line(hub: Hub, status: int, body: bytes, expected: str) -> None:
    """The collector's reason and hint reach the person; strange answers are named."""
    hub.status, hub.body = status, body
    with pytest.raises(EnrolmentError, match=expected) as caught:
        enrol(hub.url, WANTED)

    assert "\n" not in str(caught.value)


def test_redirect_is_not_followed(hub: Hub) -> None:
    """The token goes to no other address."""
    hub.status, hub.headers = 307, {"Location": hub.url + "/elsewhere"}
    with pytest.raises(EnrolmentError, match="HTTP 307"):
        enrol(hub.url, WANTED)

    assert len(hub.asked) == 1


def test_https_needs_a_trusted_authority(tmp_path: Path) -> None:
    """An authority of one's own is given by --ca; without it the certificate is refused."""
    authority = Authority.make()
    (tmp_path / "ca.pem").write_text(authority.pem, encoding="ascii")
    for hub in serve(authority.server_context(tmp_path, "127.0.0.1")):
        _, given = enrol(hub.url, WANTED, tmp_path / "ca.pem")
        assert given.agent == AGENT
        with pytest.raises(EnrolmentError, match="--ca"):
            enrol(hub.url, WANTED)
        with pytest.raises(EnrolmentError, match="--ca"):
            enrol(hub.url, WANTED, tmp_path / "missing.pem")


def test_unreachable_collector() -> None:
    """Nobody there is one line."""
    with pytest.raises(EnrolmentError, match="cannot be reached"):
        enrol("http://127.0.0.1:1", WANTED)


def test_command_enrols_once(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes the credential; a second time it refuses, with --again it takes a new identity."""
    folder = tmp_path / "state"
    words = ["enroll", "--state", str(folder), "--url", hub.url, "--token", "T", "--asset-code", "TS-1"]

    assert main(words) == 0
    assert load_credential(folder) is not None
    assert hub.asked[0][1]["asset_code"] == "TS-1"
    assert main(words) == 1
    assert "already enrolled" in capsys.readouterr().err
    hub.body = json.dumps({**GOOD, "agent": "bcdefgha234567ab"}).encode()
    assert main([*words, "--again"]) == 0
    again = load_credential(folder)
    assert again is not None
    assert again.agent == "bcdefgha234567ab"
    assert len(hub.asked) == 2
