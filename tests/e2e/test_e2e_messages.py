"""Messages that cannot be taken: kept with their reason, told to the sender, and nobody else suffers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2e.e2e_client import JOURNALED, AgentClient
from e2e.e2e_reports import Sealer
from hatang_agent.wire import codec, topics
from hatang_collector.ingest.deadletter import DeadLetters, Letter
from support.stack import Program, Stack, now_ms
from support.wait import until
from wire.test_codec import broken

NEWER = str(Path(__file__).with_name("e2e_newer.py"))


@contextlib.contextmanager
def dead_letters(stack: Stack) -> Iterator[DeadLetters]:
    """The dead letters, also while the collector runs."""
    with contextlib.closing(DeadLetters(stack.data / "deadletters.sqlite")) as letters:
        yield letters


def open_letters(stack: Stack) -> dict[str, Letter]:
    """Open dead letters by digest."""
    with dead_letters(stack) as letters:
        return {letter.digest: letter for letter in letters.every()}


def good(sealer: Sealer) -> bytes:
    """A report that is taken, with one run."""
    return sealer.seal(now_ms(), [sealer.run(now_ms(), 1.0)])


def future(sealer: Sealer) -> bytes:
    """A report of the next schema, as today's decoder sees it."""
    report = codec.decode(good(sealer))
    return codec.encode(dataclasses.replace(report, schema=2))


def enrolled(stack: Stack) -> Any:
    """A new machine's credential."""
    state = stack.folder / "state"
    state.mkdir()
    stack.enrol(state, stack.token(), "Máy lỗi")
    return stack.credential(state)


def test_every_kind_of_broken_message_is_kept_and_told(stack: Stack) -> None:
    """Each broken message becomes a dead letter of its reason and a refusal; the next good one is stored."""
    credential = enrolled(stack)
    sealer = Sealer(credential.agent)
    cases = [(name, wire, str(reason)) for name, wire, reason in broken()]
    cases.append(("report of another agent", good(Sealer("abcdefgh234567aa")), "other_agent"))
    told: dict[str, str] = {}

    with AgentClient(credential) as client:
        for name, wire, _ in cases:
            told[name] = client.send(wire)
            assert client.send(good(sealer)) == JOURNALED, f"the good report behind: {name}"

    assert told == {name: reason for name, _, reason in cases}
    kept = open_letters(stack)
    for name, wire, reason in cases:
        letter = kept[codec.digest(wire)]
        assert (letter.reason, letter.payload, letter.agent) == (reason, wire, credential.agent), name
    until(lambda: stack.receipts(credential.agent).runs == len(cases), 10, "the good runs are counted")


def test_nobody_speaks_for_another(stack: Stack) -> None:
    """The broker takes nothing on another agent's topics, nor on an agent's own ack and config topics."""
    credential = enrolled(stack)
    sealer = Sealer(credential.agent)

    with AgentClient(credential) as client:
        for topic in (
            topics.report("abcdefgh234567aa"),
            topics.birth("abcdefgh234567aa", "main"),
            topics.ack(credential.agent),
            topics.config(credential.agent),
            topics.COLLECTOR,
        ):
            assert client.publish(topic, b"{}") == "Not authorized", topic
        assert client.send(good(sealer)) == JOURNALED

    assert open_letters(stack) == {}


def test_a_report_sent_twice_is_counted_once(stack: Stack) -> None:
    """A resent report is acknowledged again and counted once."""
    credential = enrolled(stack)
    sealer = Sealer(credential.agent)
    first, second = good(sealer), good(sealer)

    with AgentClient(credential) as client:
        for wire in (first, first, second, first):
            client.answers.clear()
            assert client.send(wire) == JOURNALED

    until(lambda: stack.receipts(credential.agent).reports == 2, 10, "two reports")
    assert stack.receipts(credential.agent).runs == 2


def test_a_message_of_the_future_is_taken_in_after_the_upgrade(stack: Stack) -> None:
    """A future schema is kept as future_schema; the program that knows it takes it in with retry."""
    credential = enrolled(stack)
    sealer = Sealer(credential.agent)
    wire = future(sealer)

    with AgentClient(credential) as client:
        assert client.send(wire) == "future_schema"
        assert client.send(good(sealer)) == JOURNALED
    until(lambda: stack.receipts(credential.agent).reports == 1, 10, "the good report")
    stack.collector.stop()
    too_early = stack.run("deadletters", "retry", "--reason", "future_schema")
    retried = Program([NEWER, "deadletters", "retry", "--data", str(stack.data)], stack.folder / "retry.log")
    retried.start()
    assert retried.process is not None
    assert retried.process.wait(20) == 0, retried.said()
    stack.collector.argv = [NEWER, *stack.collector.argv[2:]]
    stack.start()

    assert "0 letters taken in, 1 still refused" in too_early.stdout
    assert "1 letters taken in, 0 still refused" in retried.said()
    until(lambda: stack.receipts(credential.agent).reports == 2, 10, "a receipt of the future report")
    assert stack.receipts(credential.agent).runs == 2
    assert open_letters(stack) == {}
    with dead_letters(stack) as letters:
        (letter,) = letters.every(resolved=True)
    assert (letter.digest, letter.resolution) == (codec.digest(wire), "taken in again")


def test_bad_bytes_are_shown_to_people(stack: Stack) -> None:
    """The commands list and show a letter with its reason while the collector runs."""
    credential = enrolled(stack)
    with AgentClient(credential) as client:
        client.send(b"{hello")

    listed = stack.run("deadletters", "list").stdout
    shown = stack.run("deadletters", "show", listed.split()[0]).stdout

    assert "not_json" in listed
    assert "1 open letters" in listed
    assert "{hello" in shown
