"""Dead letters: durable, bounded, fair, and never counted away."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatang_collector.ingest.deadletter import OVERHEAD, DeadLetters, NewLetter, export_line


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "deadletters.sqlite"


@pytest.fixture
def deadletters(path: Path) -> Iterator[DeadLetters]:
    """A store of 160,000 bytes, 10,000 a sender."""
    made = DeadLetters(path, max_bytes=16 * 10_000, share=16)
    yield made
    made.close()


def letter(
    number: int, *, agent: str = "a", size: int = 100, known: bool = True, reason: str = "not_json"
) -> NewLetter:
    """Bytes that differ by number."""
    return NewLetter("t", agent, b"%06d" % number + bytes(size - 6), reason, "detail", 1_000 + number, known)


def test_what_was_put_is_there(deadletters: DeadLetters, path: Path) -> None:
    """A letter is in the file when put returns, bytes and all, seen by another process's connection."""
    deadletters.put("topic", "agent", b"\0\xff{", "bad_utf8", "byte 1", 5_000)
    other = DeadLetters(path)
    (found,) = other.letters()
    other.close()
    assert (found.topic, found.agent, found.payload, found.reason, found.detail) == (
        "topic",
        "agent",
        b"\0\xff{",
        "bad_utf8",
        "byte 1",
    )
    assert (found.arrived_ms, found.last_ms, found.times, found.resolved_ms) == (5_000, 5_000, 1, None)
    assert deadletters.get(found.id) == found
    assert deadletters.get(found.id + 1) is None


def test_writes_reach_the_disk_before_put_returns(path: Path) -> None:
    """The file is written with full synchronization: a rejection may leave right after."""
    made = DeadLetters(path)
    assert made._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    made.close()


def test_the_same_bytes_are_one_letter(deadletters: DeadLetters) -> None:
    """A sender that insists adds to a count, not to the store, and reopens a letter thought dealt with."""
    deadletters.put_many([letter(1), letter(1), letter(2)])
    (one, two) = deadletters.letters()
    assert (one.times, two.times) == (2, 1)
    deadletters.resolve([one.id], 9_000, "taken in again")
    assert [open_.id for open_ in deadletters.letters()] == [two.id]
    assert [every.resolution for every in deadletters.letters(resolved=True)] == ["taken in again", ""]
    deadletters.put_many([letter(1)])
    assert [open_.times for open_ in deadletters.letters()] == [3, 1]


def test_one_sender_cannot_push_out_the_others(deadletters: DeadLetters) -> None:
    """A flood of one agent drops its own oldest letters, and how many is counted and shown."""
    deadletters.put_many([letter(n, agent="quiet") for n in range(5)])
    deadletters.put_many([letter(n, agent="loud", size=400) for n in range(500)])
    kept = deadletters.letters()
    assert sum(one.agent == "quiet" for one in kept) == 5
    loud = [one for one in kept if one.agent == "loud"]
    assert sum(len(one.payload) + OVERHEAD for one in loud) <= 10_000
    assert loud[-1].payload.startswith(b"000499")
    assert deadletters.totals().dropped == {"not_json": 500 - len(loud)}


def test_strangers_share_one_share(deadletters: DeadLetters) -> None:
    """A flood under ever new names is held in the room of one agent."""
    deadletters.put_many([letter(1, agent="known")])
    for n in range(300):
        deadletters.put_many([letter(n, agent=f"made-up-{n}", known=False, reason="unknown_agent")])
    kept = deadletters.letters()
    assert sum(one.agent == "known" for one in kept) == 1
    assert deadletters.totals().bytes <= 10_000 + 1_000


def test_the_whole_store_is_bounded(deadletters: DeadLetters) -> None:
    """Many bad agents together stay within the bound; dealt-with letters go first."""
    deadletters.put_many([letter(1, agent="first", size=5_000)])
    deadletters.put_many([letter(n, agent=f"second{n}", size=5_000) for n in range(2, 7)])
    deadletters.resolve(range(2, 7), 9_000, "taken in again")
    for n in range(100):
        deadletters.put_many([letter(n, agent=f"agent{n}", size=4_000)])
        if n == 28:
            assert deadletters.get(1) is not None
            assert deadletters.get(2) is None
    assert deadletters.totals().bytes <= 160_000
    assert sum(deadletters.totals().open.values()) + sum(deadletters.totals().dropped.values()) == 101


def test_very_large_bytes_are_cut_and_said_so(deadletters: DeadLetters) -> None:
    """A message above a sender's share keeps its beginning; the detail tells how much there was."""
    deadletters.put_many([letter(1, size=50_000)])
    (found,) = deadletters.letters()
    assert len(found.payload) < 10_000
    assert "of 50000 bytes are kept" in found.detail


def test_reading_by_reason_and_deleting(deadletters: DeadLetters) -> None:
    """Letters are read in pages, by reason, and deleted for good."""
    deadletters.put_many([letter(n, agent=f"a{n % 12}", reason=f"r{n % 2}") for n in range(120)])
    assert len(list(deadletters.every(reason="r0"))) == 60
    assert len(list(deadletters.every())) == 120
    assert deadletters.totals().open == {"r0": 60, "r1": 60}
    doomed = [one.id for one in deadletters.every(reason="r0")]
    assert deadletters.delete([*doomed, 99_999]) == 60
    assert deadletters.totals().open == {"r1": 60}
    assert deadletters.totals().bytes == 60 * (100 + OVERHEAD)


def test_export_is_complete(deadletters: DeadLetters) -> None:
    """An exported line holds every byte."""
    deadletters.put("topic", "agent", b"\0\xff{", "bad_utf8", "ở đây", 5_000)
    values = json.loads(export_line(deadletters.letters()[0]))
    assert base64.b64decode(values["payload_base64"]) == b"\0\xff{"
    assert values["detail"] == "ở đây"


def test_a_file_that_cannot_be_written_is_an_os_error(deadletters: DeadLetters, path: Path) -> None:
    """The caller holds its answers back as for any disk that fails; nothing of the batch is kept."""
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    deadletters._connection.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(OSError, match="dead letters cannot be written"):
        deadletters.put_many([letter(1), letter(2)])
    blocker.execute("ROLLBACK")
    blocker.close()
    assert deadletters.letters() == []
    deadletters.put_many([letter(1)])
    assert len(deadletters.letters()) == 1
