"""The outbox on a disk that is full, damaged, or loses power: it says what is lost and goes on."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_send.agent_send_support import Bench, drain, noisy, report_of
from hatang_agent.outbox import FILE_NAME, Kept, Order
from hatang_agent.outbox_storage import LocalDisk
from hatang_agent.wire import codec
from support.apsw_crash import CrashDisk

GOLDEN_DIGEST = "c868f0ca0a3a63c287c36008e0160b965f2669d048d6c19bda9ee72136f878a7"


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but long enough" * 50, b"SQLite format 3\x00" + b"\xff" * 8000]
)
def test_corrupt_file_is_put_aside(tmp_path: Path, content: bytes) -> None:
    """A broken file never stops the agent: it is kept beside, a new one begins, and a gap says so."""
    bench = Bench(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(content)
    outbox = bench.open()
    run = bench.run()

    assert outbox.commit(run) is Kept.STORED
    (digest,) = drain(outbox, bench)

    report = report_of(outbox, digest)
    assert [taken.id for taken in report.runs] == [run.id]
    reasons = [gap.reason for gap in report.gaps]
    assert reasons == (["outbox_corrupt"] if content else [])
    aside = list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))
    assert [path.read_bytes() for path in aside] == ([content] if content else [])
    outbox.close()


def test_damage_under_a_running_agent(tmp_path: Path) -> None:
    """Damage found while the agent runs is put aside too, and the chain of reports goes on."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    for _ in range(300):
        outbox.commit(noisy(bench, 1_000))
    first = outbox.seal(bench.time.clock(), Order.OLDEST)
    assert first is not None
    outbox.close()
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 40] = b"\xa5" * (4096 * 38)
    path.write_bytes(content)

    for _ in range(5):
        assert outbox.commit(bench.run()) is Kept.STORED
        outbox.seal(bench.time.clock(), Order.OLDEST)
    sealed = outbox.sealed(0, 100)
    reports = [report_of(outbox, item.digest) for item in sealed]

    assert sum(gap.reason == "outbox_corrupt" for report in reports for gap in report.gaps) == 1
    assert min(report.seq for report in reports) == 2
    outbox.close()


def test_bit_rot_in_a_sealed_report_is_a_gap(tmp_path: Path) -> None:
    """Bytes that no longer match their digest are never sent; the runs are told as lost."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    outbox.commit(bench.run())
    (digest,) = drain(outbox, bench)
    outbox.close()
    database = sqlite3.connect(tmp_path / FILE_NAME)
    database.execute("UPDATE reports SET wire = zeroblob(length(wire))")
    database.commit()
    database.close()
    outbox = bench.open()

    assert outbox.wire(digest) is None
    (told,) = drain(outbox, bench)

    assert [(gap.probe, gap.runs, gap.reason) for gap in report_of(outbox, told).gaps] == [
        ("usage", 1, "outbox_corrupt")
    ]
    outbox.close()


def test_file_of_a_newer_program_is_put_aside(tmp_path: Path) -> None:
    """After a downgrade the newer file is kept beside and its loss is told."""
    bench = Bench(tmp_path)
    bench.open().close()
    database = sqlite3.connect(tmp_path / FILE_NAME)
    database.execute("PRAGMA user_version=99")
    database.close()

    outbox = bench.open()
    (digest,) = drain(outbox, bench)

    assert [gap.reason for gap in report_of(outbox, digest).gaps] == ["outbox_newer"]
    assert len(list(tmp_path.glob(f"{FILE_NAME}.newer-*"))) >= 1
    outbox.close()


def test_full_disk_is_counted_and_told_later() -> None:
    """A full disk never raises; the runs it cost are told once there is room again."""
    disk = CrashDisk()
    bench = Bench(Path("/state"), disk=disk)
    outbox = bench.open()
    assert outbox.commit(bench.run()) is Kept.STORED
    disk.room = disk.used()
    kept = [outbox.commit(noisy(bench, 3_000)) for _ in range(60)]
    lost = kept.count(Kept.LOST)
    assert lost > 10
    disk.room = None

    assert outbox.commit(bench.run()) is Kept.STORED
    reports = [report_of(outbox, digest) for digest in drain(outbox, bench)]

    gaps = [gap for report in reports for gap in report.gaps]
    assert [(gap.runs, gap.reason) for gap in gaps] == [(lost, "disk_full")]
    assert sum(len(report.runs) for report in reports) == len(kept) - lost + 2
    outbox.close()


def test_unwritable_folder_does_not_raise(tmp_path: Path) -> None:
    """Where no file can be made at all, runs are lost and counted, but the agent lives."""
    bench = Bench(tmp_path / "missing")
    outbox = bench.open()

    assert outbox.commit(bench.run()) is Kept.LOST
    assert outbox.seal(bench.time.clock(), Order.NEWEST) is None
    assert outbox.counts() is None
    (tmp_path / "missing").mkdir()
    assert outbox.commit(bench.run()) is Kept.STORED
    (digest,) = drain(outbox, bench)
    assert [(gap.runs, gap.reason) for gap in report_of(outbox, digest).gaps] == [(1, "disk_error")]
    outbox.close()


def test_outbox_of_the_first_version_opens_for_ever(tmp_path: Path) -> None:
    """The recorded file of schema version 1 yields the run and the report it was recorded with."""
    shutil.copy(Path(__file__).parent / "golden" / "outbox-1.sqlite", tmp_path / FILE_NAME)
    bench = Bench(tmp_path, epoch="fedcba9876543210")
    outbox = bench.open()

    (old,) = outbox.sealed(0, 10)
    assert old.digest == GOLDEN_DIGEST
    assert outbox.wire(old.digest) is not None
    (new,) = drain(outbox, bench)
    report = report_of(outbox, new)

    assert [run.id for run in report.runs] == ["0123456789abcdef-2"]
    assert report.predecessor is not None
    assert report.predecessor.digest == old.digest
    assert not list(tmp_path.glob("*.corrupt-*"))
    outbox.close()


class _Watched(LocalDisk):
    """Counts syncs of the folder."""

    def __init__(self) -> None:
        self.synced: list[Path] = []

    def sync_directory(self, path: Path) -> None:
        self.synced.append(path)
        super().sync_directory(path)


def test_new_file_is_made_durable_with_its_name(tmp_path: Path) -> None:
    """The folder is synced once when the file is made, and not at every start."""
    disk = _Watched()
    for _ in range(2):
        Bench(tmp_path, disk=disk).open().close()

    assert disk.synced == [tmp_path]
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(10, 3000)),
        st.tuples(st.just("seal"), st.sampled_from(list(Order))),
        st.tuples(st.just("ack"), st.integers(0, 5)),
        st.tuples(st.just("reopen"), st.booleans()),
        st.tuples(st.just("crash"), st.integers(0, 1 << 30)),
    ),
    min_size=3,
    max_size=40,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_no_crash_loses_a_committed_run(steps: list[tuple[str, Any]]) -> None:
    """Wherever power fails, each committed run is in exactly one place and sealed bytes stay the same."""
    disk = CrashDisk()
    bench = Bench(Path("/state"), disk=disk, report=16 * 1024)
    outbox = bench.open()
    committed: set[str] = set()
    sealed: dict[str, bytes] = {}
    acknowledged: set[str] = set()
    for number, (what, value) in enumerate(steps):
        if what == "commit":
            run = noisy(bench, value)
            assert outbox.commit(run) is Kept.STORED
            committed.add(run.id)
        elif what == "seal":
            if new := outbox.seal(bench.time.clock(), value):
                sealed[new.digest] = outbox.wire(new.digest) or b""
        elif what == "ack":
            acknowledged.update(outbox.forget(list(sealed)[:value]))
        else:
            if what == "crash":
                disk.crash(random.Random(value))
            outbox.close()
            bench.epoch = f"{number:016x}"
            outbox = bench.open()
    drain(outbox, bench)
    here = {item.digest: outbox.wire(item.digest) or b"" for item in outbox.sealed(0, 1000)}

    assert {
        digest: wire for digest, wire in sealed.items() if digest not in acknowledged
    }.items() <= here.items()
    everything = {**here, **{digest: sealed[digest] for digest in acknowledged}}
    runs = [run.id for wire in everything.values() for run in codec.decode(wire).runs]
    assert sorted(runs) == sorted(committed)
    assert not [gap for wire in everything.values() for gap in codec.decode(wire).gaps]
    outbox.close()


def test_crash_disk_really_forgets() -> None:
    """The disk of these tests loses what SQLite was told not to sync: else the test above proves nothing."""
    losses = 0
    for seed in range(10):
        disk = CrashDisk()
        database = disk.connect(Path("/state/x"))
        database.execute("PRAGMA journal_mode=WAL").fetchall()
        database.execute("PRAGMA synchronous=OFF").fetchall()
        database.execute("CREATE TABLE t(x)")
        disk.sync_directory(Path("/state"))
        database.execute("INSERT INTO t VALUES(1)")
        disk.crash(random.Random(seed))
        again = disk.connect(Path("/state/x"))
        try:
            losses += again.execute("SELECT count(*) FROM t").fetchone() != (1,)
        except sqlite3.DatabaseError:
            losses += 1
        again.close()
        with contextlib.suppress(sqlite3.OperationalError):  # the connection that was cut off
            database.close()

    assert losses >= 8
