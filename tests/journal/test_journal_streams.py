"""Streams, the lock of the folder, and readers beside a writer."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hatang_collector.journal.segments import NewEntry
from hatang_collector.journal.streams import Journal, JournalLocked


def entry(number: int) -> NewEntry:
    """An entry that differs by number."""
    return NewEntry("report", "a", 1_000_000 + number, {"n": number}, b"x" * (number % 300))


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    """Two writers would overwrite each other: the second one is told so in one line."""
    journal = Journal.open(tmp_path / "journal")
    code = (
        "import sys; from pathlib import Path; from hatang_collector.journal.streams import Journal\n"
        "Journal.open(Path(sys.argv[1]))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "journal")],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    last = other.stderr.strip().splitlines()[-1]
    assert other.returncode == 1
    assert "JournalLocked" in last
    assert "in use by another collector (process " in last
    with pytest.raises(JournalLocked):
        Journal.open(tmp_path / "journal")
    journal.close()
    Journal.open(tmp_path / "journal").close()


def test_readers_follow_a_writer(tmp_path: Path) -> None:
    """Several threads read every entry in order while one appends over many segments."""
    journal = Journal.open(tmp_path / "journal", max_segment_bytes=20_000)
    stream = journal.stream("pc")
    total = 3_000
    seen: list[list[int]] = [[], [], []]

    def follow(numbers: list[int], limit: int) -> None:
        while len(numbers) < total:
            entries = stream.read(len(numbers), limit)
            numbers.extend(one.header["n"] for one in entries)
            if not entries:
                stream.wait(len(numbers), 5)

    threads = [
        threading.Thread(target=follow, args=(numbers, limit))
        for numbers, limit in zip(seen, (1, 10, 500), strict=True)
    ]
    for thread in threads:
        thread.start()
    for at in range(0, total, 30):
        stream.append([entry(n) for n in range(at, at + 30)])
    for thread in threads:
        thread.join(60)
    assert seen == [list(range(total))] * 3
    journal.close()


def test_waiting_on_all_streams(tmp_path: Path) -> None:
    """A waiter wakes when any stream has what it has not read, and not before."""
    journal = Journal.open(tmp_path / "journal")
    assert not journal.wait({"pc": 0, "probe": 0}, 0.01)
    writer = threading.Thread(target=lambda: journal.stream("probe").append([entry(1)]))
    writer.start()
    assert journal.wait({"pc": 0, "probe": 0}, 10)
    writer.join()
    assert not journal.wait({"pc": 0, "probe": 1}, 0.01)
    journal.close()


def test_files_stay_few(tmp_path: Path) -> None:
    """Opening and closing makes no files but the lock; entries make one segment a stream."""
    for _ in range(3):
        Journal.open(tmp_path / "journal").close()
    assert sorted(path.name for path in (tmp_path / "journal").rglob("*") if path.is_file()) == ["lock"]
    journal = Journal.open(tmp_path / "journal")
    journal.stream("pc").append([entry(1)])
    journal.close()
    assert len(list((tmp_path / "journal" / "pc").iterdir())) == 1
