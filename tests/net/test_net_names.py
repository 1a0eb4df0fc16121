"""Questions to name servers, and a resolver that is never waited for too long."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.net import names
from hatang_agent.net.answer import Outcome
from hatang_agent.net.clocks import Clocks

ASKED = names.question(0x1234, "example.vn")


def reply(asked: bytes, *addresses: str, code: int = 0) -> bytes:
    """The packet of a name server, with the name of the answers compressed as real ones do."""
    head = asked[:2] + struct.pack("!5H", 0x8180 | code, 1, len(addresses), 0, 0)
    records = b""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        content = socket.inet_pton(family, address)
        records += struct.pack("!HHHIH", 0xC00C, 28 if ":" in address else 1, 1, 60, len(content)) + content
    return head + asked[12:] + records


@contextmanager
def server(answer: Callable[[bytes, int], list[bytes]], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A name server on this machine; ``answer`` gets a packet and its number, and gives what to send back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        monkeypatch.setattr(names, "PORT", sock.getsockname()[1])

        def serve() -> None:
            for number in range(100):
                packet, sender = sock.recvfrom(2048)
                if not packet:
                    return
                for part in answer(packet, number):
                    sock.sendto(part, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "127.0.0.1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", sock.getsockname())
        thread.join(5)


def test_a_question_is_what_rfc_1035_says() -> None:
    """Number, recursion wanted, one question: the name's labels, type A, class IN."""
    labels = b"\x07example\x02vn\0"
    assert names.question(0x1234, "example.vn") == bytes.fromhex("123401000001000000000000") + labels + (
        b"\0\x01\0\x01"
    )
    assert names.question(1, "a.vn", socket.AF_INET6)[-4:] == b"\0\x1c\0\x01"


def test_a_reply_is_read() -> None:
    """Code and addresses of both kinds, other records passed over."""
    assert names.answers(ASKED, reply(ASKED, "192.0.2.1", "2001:db8::1")) == (0, ("192.0.2.1", "2001:db8::1"))
    assert names.answers(ASKED, reply(ASKED, code=3)) == (3, ())
    alias = struct.pack("!HHHIH", 0xC00C, 5, 1, 60, 3) + b"\x01a\0"
    mixed = reply(ASKED, "192.0.2.1")
    cut = len(ASKED)
    with_alias = mixed[:6] + b"\0\x02" + mixed[8:cut] + alias + mixed[cut:]
    assert names.answers(ASKED, with_alias) == (0, ("192.0.2.1",))


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x12\x34" + b"\0" * 10,  # a question
        reply(names.question(0x4321, "example.vn"), "192.0.2.1"),
        reply(names.question(0x1234, "other.vn"), "192.0.2.1"),
    ],
)
def test_what_is_no_reply_to_us_is_refused(packet: bytes) -> None:
    """Another number, another name, too short, or a question itself."""
    with pytest.raises(names.BadReply):
        names.answers(ASKED, packet)


@given(st.binary(max_size=80), st.booleans())
def test_no_packet_breaks_the_reader(noise: bytes, ours: bool) -> None:
    """Any bytes, also behind our own question, are a reply or a BadReply."""
    packet = reply(ASKED)[:6] + struct.pack("!H", 9) + reply(ASKED)[8:] + noise if ours else noise
    try:
        _, found = names.answers(ASKED, packet)
    except names.BadReply:
        return
    assert len(found) <= names.MOST_ADDRESSES


def test_a_name_server_is_asked(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time and addresses; strangers' packets before the reply are passed over."""
    with server(lambda asked, _: [b"noise", reply(asked, "192.0.2.7")], monkeypatch) as here:
        answer = names.ask("example.vn", [here], clocks, 2)
    assert (answer.outcome, answer.addresses, answer.detail) == (Outcome.ANSWERED, ("192.0.2.7",), "")
    assert answer.rtt_ms is not None
    assert 0 < answer.rtt_ms < 1000


def test_a_name_that_is_not_there_is_an_answer(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network carried the question; what the server thinks of it is told."""
    with server(lambda asked, _: [reply(asked, code=3)], monkeypatch) as here:
        answer = names.ask("example.vn", [here], clocks, 2)
    assert answer.heard
    assert (answer.detail, answer.addresses) == ("no such name", ())


def test_a_lost_question_is_asked_again(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two is answered."""
    with server(lambda asked, number: [reply(asked, "192.0.2.7")] * number, monkeypatch) as here:
        assert names.ask("example.vn", [here], clocks, 0.6).addresses == ("192.0.2.7",)


def test_silence_and_refusal_differ(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is a time-out; a host without one refuses, so it was reached."""
    with server(lambda _asked, _number: [], monkeypatch) as here:
        assert names.ask("example.vn", [here], clocks, 0.2).outcome is Outcome.TIMEOUT
    refused = names.ask("example.vn", ["127.0.0.1"], clocks, 0.5)
    assert (refused.outcome, refused.heard) == (Outcome.REFUSED, True)
    assert names.ask("example.vn", [], clocks, 0.2).outcome is Outcome.NO_NAME


def test_servers_of_resolv_conf() -> None:
    """Three at most, in order, with or without a zone; helpers on this machine are known as such."""
    text = "# x\nsearch a\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver x\nnameserver 127.0.0.53"
    assert names.servers_of(text) == ("192.0.2.1", "fe80::1%eth0", "127.0.0.53")
    assert [names.local(one) for one in names.servers_of(text)] == [False, False, True]


def test_a_dead_resolver_does_not_hold_anybody_up(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it hangs there are no addresses; when it comes back there are, and they last."""
    go, asked = threading.Event(), []

    def hang(host: bytes, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        go.wait(10)
        return [(2, 1, 6, "", ("192.0.2.9", 0)), (2, 1, 6, "", ("192.0.2.9", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    resolver = names.Resolver(clocks)
    assert resolver.addresses("192.0.2.1", 0.01) == ("192.0.2.1",)
    assert resolver.addresses("a.vn", 0.01) == ()
    assert resolver.addresses("a.vn", 0.01) == (), "it is not asked twice at once"
    go.set()
    assert resolver.addresses("a.vn", 5) == ("192.0.2.9",)
    assert resolver.addresses("a.vn", 0) == ("192.0.2.9",)
    assert asked == [b"a.vn"]


def test_former_addresses_stand_in_for_a_failing_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead name server must not look like a dead network."""
    now = [0]
    found: list[object] = [[(2, 1, 6, "", ("192.0.2.9", 0))]]

    def answer(*_: object, **__: object) -> object:
        if isinstance(found[0], OSError):
            raise found[0]
        return found[0]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    resolver = names.Resolver(Clocks(lambda: now[0], lambda: now[0]), keep_s=600)
    assert resolver.addresses("a.vn", 5) == ("192.0.2.9",)
    now[0] += 601 * 1_000_000_000
    found[0] = socket.gaierror(-2, "no")
    assert resolver.addresses("a.vn", 5) == ("192.0.2.9",)
    found[0] = [(2, 1, 6, "", ("192.0.2.10", 0))]
    assert resolver.addresses("a.vn", 5) == ("192.0.2.10",)
