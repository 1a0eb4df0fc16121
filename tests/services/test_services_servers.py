"""The steps towards a program, each against a real server that stops there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hatang_agent.net.path import NetPath
from hatang_agent.net.targets import parse
from hatang_agent.probes._paths import Ways
from hatang_agent.probes._service_asking import Asking, ask_program
from hatang_agent.probes._service_verdict import Reached, Step
from hatang_agent.system import LocalSystem
from services.service_asking import LO, Named, verdict
from services.service_servers import DAY, HOST, LOOPBACK, Office, now, page, program


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An authority of this module."""
    return Office(tmp_path_factory.mktemp("certificates"))


def test_a_plain_page() -> None:
    """One HEAD without anything of this machine or its people; status and time are told."""
    with program(page(body=b"xin chao")) as server:
        found = verdict(f"web http http://{HOST}:{server.port}/login?a=1")

    assert (found.reached, found.step, found.status, found.tls_days_left) == (Reached.YES, None, 200, None)
    assert found.time_ms is not None
    assert 0 < found.time_ms < 3000
    assert found.how == f"http http://{HOST}:{server.port}/login?a=1"
    (request,) = server.heard
    lines = request.decode().split("\r\n")
    assert lines[0] == "HEAD /login?a=1 HTTP/1.1"
    heads = dict(line.split(": ") for line in lines[1:] if line)
    assert heads["Host"] == f"{HOST}:{server.port}"
    assert heads["User-Agent"] == "hatang-agent"
    assert set(heads) == {"Host", "User-Agent", "Accept", "Connection"}


def test_a_page_with_a_good_certificate(office: Office) -> None:
    """Reached, with the days until its certificate ends."""
    with program(context=office.server(until=now() + 30.5 * DAY)) as server:
        found = verdict(f"qlvb http https://{HOST}:{server.port}/", trust=office.trust)

    assert (found.reached, found.status, found.tls_days_left) == (Reached.YES, 200, 30)


@pytest.mark.parametrize(
    ("certificate", "words", "days"),
    [
        ({"until": now() - 2.5 * DAY}, "certificate has expired", -3),
        ({"since": now() + 2 * DAY}, "certificate is not valid yet", 99),
        ({"own": True}, "certificate is self-signed", 99),
    ],
    ids=["expired", "not yet", "self-signed"],
)
def test_a_certificate_that_browsers_warn_of(
    office: Office, certificate: dict[str, object], words: str, days: int
) -> None:
    """It fails at the encryption, with the reason and the days; no request is sent over it."""
    with program(context=office.server(**certificate)) as server:  # type: ignore[arg-type]
        found = verdict(f"qlvb http https://{HOST}:{server.port}/", trust=office.trust)

    assert (found.reached, found.step, found.status) == (Reached.NO, Step.TLS, None)
    assert found.how == f"http https://{HOST}:{server.port}/: {words}"
    assert found.tls_days_left == days
    assert server.heard == []


def test_a_certificate_for_another_name_and_of_nobody_we_know(office: Office, tmp_path: Path) -> None:
    """Two more reasons to warn; the name of the other one is not told."""
    with program(context=office.server("khac.example.vn")) as server:
        other = verdict(f"qlvb http https://{HOST}:{server.port}/", trust=office.trust)
        strange = verdict(f"qlvb http https://{HOST}:{server.port}/", trust=Office(tmp_path).trust)

    assert other.how.endswith("certificate is for another name")
    assert "khac" not in other.how
    assert strange.how.endswith("certificate is of an unknown authority")
    assert (other.step, strange.step) == (Step.TLS, Step.TLS)


def test_any_certificate_when_it_is_so_decided(office: Office) -> None:
    """An office with certificates of its own is reached, and the days are still told."""
    with program(context=office.server(own=True)) as server:
        found = verdict(f"qlvb http https://{HOST}:{server.port}/", trust=None)

    assert (found.reached, found.status, found.tls_days_left) == (Reached.YES, 200, 99)


@pytest.mark.parametrize(
    ("status", "reached", "words"),
    [
        ("204 No Content", Reached.YES, ""),
        ("304 Not Modified", Reached.YES, ""),
        ("401 Unauthorized", Reached.YES, ""),
        ("403 Forbidden", Reached.YES, ""),
        ("404 Not Found", Reached.NO, ": there is no such page"),
        ("500 Oops", Reached.NO, ": the program is out of order"),
        ("503 Service Unavailable", Reached.NO, ": the program is out of order"),
    ],
)
def test_statuses(status: str, reached: Reached, words: str) -> None:
    """A program that asks who is there works; one that is missing or out of order does not."""
    with program(page(status)) as server:
        found = verdict(f"web http http://{HOST}:{server.port}/")

    assert (found.reached, found.status) == (reached, int(status[:3]))
    assert found.step is (None if reached is Reached.YES else Step.HTTP)
    assert found.how == f"http http://{HOST}:{server.port}/{words}"


def test_a_server_that_knows_no_head() -> None:
    """It is asked by GET; of an endless page next to nothing is taken."""

    def answer(request: bytes) -> bytes:
        if request.startswith(b"HEAD"):
            return page("405 Method Not Allowed")
        return page(body=b"x" * 64_000_000)

    with program(answer) as server:
        found = verdict(f"web http http://{HOST}:{server.port}/")

    assert (found.reached, found.status) == (Reached.YES, 200)
    assert [request[:4] for request in server.heard] == [b"HEAD", b"GET "]
    assert server.sent < 16_000_000


@pytest.mark.parametrize("location", ["/login", "login", "http://{host}:{port}/login", "?a=b"])
def test_a_redirect_is_followed_once_on_the_same_host(location: str) -> None:
    """To the next page and no further, whatever that says."""
    with program(lambda _: page("302 Found", f"Location: {there}")) as server:
        there = location.format(host=HOST, port=server.port)
        found = verdict(f"web http http://{HOST}:{server.port}/start")

    assert (found.reached, found.status) == (Reached.YES, 302)
    assert len(server.heard) == 2
    assert server.heard[0].startswith(b"HEAD /start ")
    assert not server.heard[1].startswith(b"HEAD /start ")


def test_a_redirect_to_the_encrypted_page_is_judged_there(office: Office) -> None:
    """Plain to encrypted on the same host is what offices have; a bad certificate there is found."""
    with (
        program(context=office.server(until=now() - DAY)) as secure,
        program(page("301 Moved", f"Location: https://{HOST}:{secure.port}/")) as server,
    ):
        found = verdict(f"web http http://{HOST}:{server.port}/", trust=office.trust)

    assert (found.reached, found.step) == (Reached.NO, Step.TLS)


@pytest.mark.parametrize(
    "location", ["http://other.example.vn/", "//other.example.vn/", "https://[::1", "javascript:alert(1)"]
)
def test_a_redirect_elsewhere_is_not_followed(location: str) -> None:
    """Other hosts are not ours to ask: that the program sends us there is what we learn."""
    network = Named({HOST: (LOOPBACK,), "other.example.vn": (LOOPBACK,)})
    with program(page("302 Found", f"Location: {location}")) as server:
        found = verdict(f"web http http://{HOST}:{server.port}/", network=network)

    assert (found.reached, found.status) == (Reached.YES, 302)
    assert len(network.asked) == 1


def test_a_name_that_nobody_knows() -> None:
    """The first step; no connection is tried."""
    network = Named()
    found = verdict("qlvb http https://khong-co.example.vn/", network=network)

    assert (found.reached, found.step, found.time_ms) == (Reached.NO, Step.DNS, None)
    assert found.how == "http https://khong-co.example.vn/: the name has no address"
    assert network.asked == []


def test_nothing_listens() -> None:
    """A refused connection is a program that is not there, though the network is."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
    found = verdict(f"hop tcp {HOST}:{port}")

    assert (found.reached, found.step, found.how) == (Reached.NO, Step.TCP, f"tcp {HOST}:{port}: refused")


@pytest.mark.parametrize(
    ("line", "greets", "step"),
    [
        ("web http http://{host}:{port}/", True, Step.HTTP),
        ("web http https://{host}:{port}/", False, Step.TLS),
        ("web tls {host}:{port}", False, Step.TLS),
    ],
)
def test_a_server_that_is_too_slow(line: str, greets: bool, step: Step) -> None:
    """The step at which it went silent, within the time it was given."""
    system = LocalSystem()
    with program(lambda _: None, greets=greets) as server:
        before = system.boot_ms()
        found = verdict(line.format(host=HOST, port=server.port), timeout_s=0.5)
        took_ms = system.boot_ms() - before

    assert (found.reached, found.step) == (Reached.NO, step)
    assert found.how.endswith("no answer in time")
    assert took_ms < 1500


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH_9\r\n", b"", b"HTTP/1.1 abc\r\n\r\n"])
def test_something_else_than_a_page(reply: bytes) -> None:
    """Another program on the port, or one that hangs up."""
    with program(reply) as server:
        found = verdict(f"web http http://{HOST}:{server.port}/")

    assert (found.reached, found.step, found.status) == (Reached.NO, Step.HTTP, None)


def test_one_of_several_targets_suffices() -> None:
    """They are asked in order until one is reached; else the first failure is told."""
    with program() as server:
        network = Named()
        found = verdict(f"hop tcp {HOST}:1", f"hop http http://{HOST}:{server.port}/", network=network)
        none = verdict(f"hop tcp {HOST}:1", "hop http http://khong-co.example.vn/")

    assert found.reached is Reached.YES
    assert len(network.asked) == 2
    assert (none.reached, none.step) == (Reached.NO, Step.TCP)


def test_the_second_address_is_tried_when_nothing_listens_at_the_first() -> None:
    """A name with a dead address is reached by its other one."""
    with program() as server:
        network = Named({HOST: ("127.0.0.99", LOOPBACK)})
        found = verdict(
            f"web http http://{HOST}:{server.port}/", network=network, ways=Ways((NetPath("any"),))
        )

    assert found.reached in (Reached.YES, Reached.NO)
    assert network.asked[0].endswith("at 127.0.0.99 by any")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (NetPath("eth1", "eth1", unusable="no link"), "no link"),
        (NetPath("eth1", "khong-co", ipv4="192.0.2.77"), ""),
    ],
)
def test_a_dead_path_beside_a_good_one(path: NetPath, why: str) -> None:
    """Nothing is learned on it, which is said; the good one is not touched by it, nor hides it."""
    system = LocalSystem()
    with program() as server:
        asking = Asking(Named(), Ways((path, LO)), 2.0, system.boot_ms() + 9_000, system.boot_ms, 0)
        (_, dead), (_, good) = ask_program(asking, [parse(f"w http http://{HOST}:{server.port}/")])

    assert dead.reached is Reached.NOT_TESTED
    assert why in dead.how
    assert good.reached is Reached.YES
    assert server.connections == 1
