"""Messages that cannot be taken: kept with their reason, told to the sender, and nobody else suffers."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from e2e.e2e_client import JOURNALED, AgentClient
from e2e.e2e_reports import Sealer
from hatang_agent.identity import Credential
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


def open_letters(stack: Stack, agent: str) -> dict[str, Letter]:
    """Open dead letters of an agent by digest."""
    with dead_letters(stack) as letters:
        return {letter.digest: letter for letter in letters.every() if letter.agent == agent}


def good(sealer: Sealer) -> bytes:
    """A report that is taken, with one run."""
    return sealer.seal(now_ms(), [sealer.run(now_ms(), 1.0)])


def future(sealer: Sealer) -> bytes:
    """A report of the next schema, as today's decoder sees it."""
    report = codec.decode(good(sealer))
    return codec.encode(dataclasses.replace(report, schema=2))


def enrolled(stack: Stack) -> Credential:
    """A new machine's credential."""
    with tempfile.TemporaryDirectory(dir=stack.folder) as state:
        stack.enrol(Path(state), stack.token(), "Máy lỗi")
        return stack.credential(Path(state))


def test_every_kind_of_broken_message_is_kept_and_told(shared: Stack) -> None:
    """Each broken message becomes a dead letter of its reason and a refusal; the next good one is stored."""
    credential = enrolled(shared)
    sealer = Sealer(credential.agent)
    cases = [(name, wire, str(reason)) for name, wire, reason in broken()]
    cases.append(("report of another agent", good(Sealer("abcdefgh234567aa")), "other_agent"))
    told: dict[str, str] = {}

    with AgentClient(credential) as client:
        for name, wire, _ in cases:
            told[name] = client.send(wire)
            assert client.send(good(sealer)) == JOURNALED, f"the good report behind: {name}"

    assert told == {name: reason for name, _, reason in cases}
    kept = open_letters(shared, credential.agent)
    for name, wire, reason in cases:
        letter = kept[codec.digest(wire)]
        assert (letter.reason, letter.payload, letter.agent) == (reason, wire, credential.agent), name
    until(lambda: shared.receipts(credential.agent).runs == len(cases), 10, "the good runs are counted")


def test_nobody_speaks_for_another(shared: Stack) -> None:
    """The broker takes nothing on another agent's topics, nor on an agent's own ack and config topics."""
    credential = enrolled(shared)
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

    assert open_letters(shared, credential.agent) == {}


def test_a_report_sent_twice_is_counted_once(shared: Stack) -> None:
    """A resent report is acknowledged again and counted once."""
    credential = enrolled(shared)
    sealer = Sealer(credential.agent)
    first, second = good(sealer), good(sealer)

    with AgentClient(credential) as client:
        for wire in (first, first, second, first):
            client.answers.clear()
            assert client.send(wire) == JOURNALED

    until(lambda: shared.receipts(credential.agent).reports == 2, 10, "two reports")
    assert shared.receipts(credential.agent).runs == 2


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
    assert open_letters(stack, credential.agent) == {}
    with dead_letters(stack) as letters:
        (letter,) = letters.every(resolved=True)
    assert (letter.digest, letter.resolution) == (codec.digest(wire), "taken in again")


def test_bad_bytes_are_shown_to_people(shared: Stack) -> None:
    """The commands list and show a letter with its reason while the collector runs."""
    credential = enrolled(shared)
    with AgentClient(credential) as client:
        client.send(b"{hello")

    listed = shared.run("deadletters", "list", "--reason", "not_json").stdout
    (line,) = (line for line in listed.splitlines() if credential.agent in line)
    shown = shared.run("deadletters", "show", line.split()[0]).stdout

    assert "not_json" in line
    assert " open letters, " in listed
    assert "{hello" in shown


def test_broken_small_messages_are_kept_too(shared: Stack) -> None:
    """A birth, presence or beat that cannot be read is a dead letter; the machine is taken on as before."""
    credential = enrolled(shared)
    sealer = Sealer(credential.agent)
    agent = credential.agent
    broken_ones = {
        topics.birth(agent, "main"): b"{}",
        topics.birth(agent, "side"): b'{"schema": 1, "agent": "\xff"}',
        topics.presence(agent, "main"): b'{"epoch": 7}',
        topics.beat(agent, "main"): b"\x00" * 40_000,
    }

    with AgentClient(credential) as client:
        for topic, wire in broken_ones.items():
            assert client.publish(topic, wire) == "Success"
        assert client.send(good(sealer)) == JOURNALED

    kept = open_letters(shared, credential.agent)
    assert {letter.topic for letter in kept.values()} == set(broken_ones)
    assert {letter.payload for letter in kept.values()} == set(broken_ones.values())
    until(lambda: shared.receipts(agent).runs == 1, 10, "the good run is counted")


def test_a_machine_is_known_the_moment_it_is_enrolled(shared: Stack) -> None:
    """Several machines enrolled within a second are all taken at their first word."""
    for _ in range(3):
        credential = enrolled(shared)
        with AgentClient(credential) as client:
            assert client.send(good(Sealer(credential.agent))) == JOURNALED
