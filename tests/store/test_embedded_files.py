"""The embedded store's files: readers beside a writer, kill -9, damage, many series."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hatang_collector.clock import now_ms
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.store import names
from hatang_collector.store.book import RollupBook
from hatang_collector.store.contract import Resolution
from hatang_collector.store.embedded import EmbeddedStore
from hatang_collector.store.projection import SeriesProjection
from hatang_collector.store.rollup import RollupProjection
from hatang_collector.store.sqlitefile import SqliteFile
from store.making import AGENT, RETENTION, point, recent

ROOT = Path(__file__).parents[2]
RUNS_IN_A_REPORT = 3
WRITER = """
import sys
from pathlib import Path
from hatang_collector.clock import now_ms
from hatang_collector.store.book import RollupBook
from hatang_collector.store.embedded import EmbeddedStore
from hatang_collector.store.projection import SeriesProjection
from hatang_collector.store.rollup import RollupProjection
from store.making import RETENTION, entry, recent, report, run

folder = Path(sys.argv[1])
book = RollupBook(folder / "rollup.sqlite", RETENTION)
store = EmbeddedStore(folder / "series.sqlite", book, RETENTION, now_ms)
projections = [SeriesProjection(store, folder / "series-book.sqlite"), RollupProjection(book, None, now_ms)]
start = recent(10_000)
while True:
    for projection in projections:
        index = projection.cursor("pc")
        numbers = range(index * 3 + 1, index * 3 + 4)
        runs = [run(n, start + n * 1000, {"usage.cpu_percent": 1.0}) for n in numbers]
        projection.apply("pc", [entry(index, report(runs, seq=index + 1))], index + 1)
    print(index, flush=True)
"""


@pytest.fixture
def book(tmp_path: Path) -> Iterator[RollupBook]:
    """A book of rollups."""
    made = RollupBook(tmp_path / "rollup.sqlite", RETENTION)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path, book: RollupBook) -> Iterator[EmbeddedStore]:
    """An embedded store."""
    made = EmbeddedStore(tmp_path / "series.sqlite", book, RETENTION, now_ms)
    yield made
    made.close()


def test_reading_goes_on_while_a_write_is_open(tmp_path: Path) -> None:
    """A reader sees the last committed state, at once, while a transaction of the writer is open."""
    file = SqliteFile(tmp_path / "x.sqlite", "CREATE TABLE IF NOT EXISTS t(v INTEGER)")

    def count() -> int:
        with file.reader() as connection:
            found: int = connection.execute("SELECT count(*) FROM t").fetchone()[0]
            return found

    with file.transaction() as connection:
        connection.execute("INSERT INTO t VALUES(1)")
        assert count() == 0
    assert count() == 1

    def broken() -> None:
        with file.transaction() as connection:
            connection.execute("INSERT INTO t VALUES(2)")
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert count() == 1
    file.close()


def test_many_threads_read_while_one_writes(store: EmbeddedStore) -> None:
    """Pages ask while the projection writes; nobody fails and every read is of whole batches."""
    at, failures, seen = recent(500), [], set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                for track in store.query(AGENT, "usage", "cpu_percent", 0, now_ms(), Resolution.RAW):
                    seen.add(len(track.buckets) % 100)
            except StoreUnavailable as error:
                failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for batch in range(30):
        store.write([point(at + batch * 100 + index) for index in range(100)])
    stop.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert seen <= {0}
    assert store.totals() == {"usage.cpu_percent": (3_000, 3_000.0)}


def test_kill_nine_in_the_middle(tmp_path: Path) -> None:
    """Killed while it writes, again and again: every run the cursor passed is there, counted once."""
    search = os.pathsep.join(str(ROOT / part) for part in ("agent", "collector", "tests"))
    for round_number in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search},
        )
        assert writer.stdout is not None
        with writer.stdout:
            for _ in range(20 + round_number * 7):
                assert writer.stdout.readline()
            writer.kill()
        writer.wait()

        with ExitStack() as stack:
            book = RollupBook(tmp_path / "rollup.sqlite", RETENTION)
            stack.callback(book.close)
            store = EmbeddedStore(tmp_path / "series.sqlite", book, RETENTION, now_ms)
            stack.callback(store.close)
            series = SeriesProjection(store, tmp_path / "series-book.sqlite")
            stack.callback(series.close)
            counted = RollupProjection(book, None, now_ms).cursor("pc")
            written = series.cursor("pc")
            totals = store.totals()["usage.cpu_percent"][0]
            rolled = book.totals(Resolution.M5)["usage.cpu_percent"][0]
        assert rolled == counted * RUNS_IN_A_REPORT
        # the points of the batch at hand may be there before their cursor is
        assert totals in (written * RUNS_IN_A_REPORT, (written + 1) * RUNS_IN_A_REPORT)


def test_a_damaged_file_is_told_with_the_next_step(tmp_path: Path, book: RollupBook) -> None:
    """A file that is no database is a store that is away, and the hint says how to get it back."""
    (tmp_path / "series.sqlite").write_bytes(b"not a database" * 1000)

    with pytest.raises(StoreUnavailable) as caught:
        EmbeddedStore(tmp_path / "series.sqlite", book, RETENTION, now_ms)

    assert "series.sqlite" in str(caught.value)
    assert "replay" in caught.value.hint


def test_the_memory_of_series_is_bounded(tmp_path: Path) -> None:
    """More series than are kept in memory get the same numbers from the file."""
    file = SqliteFile(tmp_path / "x.sqlite", names.SCHEMA)
    known = names.SeriesNames(limit=10)
    points = [point(0, mount=f"/{index}") for index in range(50)]

    with file.transaction() as connection:
        first = [known.numbers(connection, one) for one in points]
        again = [known.numbers(connection, one) for one in points]
        fresh = [names.SeriesNames().numbers(connection, one) for one in points]
    file.close()

    assert len(set(first)) == 50
    assert again == fresh == first
    assert len(known._known) <= 10


def test_numbers_of_a_transaction_undone_are_forgotten(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that failed half way leaves no series number behind that the file does not know."""
    at = recent()
    plain = store._names.numbers

    def failing(connection: object, one: object) -> tuple[int, ...]:
        plain(connection, one)  # type: ignore[arg-type]
        raise StoreUnavailable("full", hint="")

    monkeypatch.setattr(store._names, "numbers", failing)
    with pytest.raises(StoreUnavailable):
        store.write([point(at, mount="/a")])
    monkeypatch.undo()

    assert store.write([point(at, 1.0, mount="/b"), point(at, 2.0, mount="/a")]) == []

    tracks = store.query(AGENT, "usage", "cpu_percent", at, at + 1, Resolution.RAW)
    assert [(track.tags, track.buckets[0].sum) for track in tracks] == [
        ((("mount", "/a"),), 2.0),
        ((("mount", "/b"),), 1.0),
    ]
