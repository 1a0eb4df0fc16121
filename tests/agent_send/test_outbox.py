"""The outbox: what is committed stays, what is sealed keeps its bytes, what is dropped is told."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path

import pytest

from agent_send.agent_send_support import Bench, drain, noisy, report_of
from hatang_agent.commands.outbox import lines
from hatang_agent.outbox import FILE_NAME, FULL_FACTS_EVERY_MS, Kept, Order
from hatang_agent.outbox_reading import OutboxUnreadable, look_into
from hatang_agent.wire import codec
from hatang_agent.wire.report import Fact, Gap, Run, Sample, Status

DISK = Fact("disk", "sda", {"size_bytes": 512_000_000_000, "model": "X" * 40})
OTHER = Fact("disk", "sda", {"size_bytes": 1_024_000_000_000, "model": "Y" * 40})


def test_committed_runs_survive_a_restart(tmp_path: Path) -> None:
    """A run that was committed is in the first report of the next process."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    first, second = bench.run(), bench.run("system")
    assert [outbox.commit(first), outbox.commit(second)] == [Kept.STORED, Kept.STORED]
    outbox.close()

    bench.epoch = "fedcba9876543210"
    again = bench.open()
    sealed = again.seal(bench.time.clock(), Order.OLDEST)

    assert sealed is not None
    report = report_of(again, sealed.digest)
    assert [run.id for run in report.runs] == [first.id, second.id]
    assert (report.epoch, report.seq, report.predecessor) == ("fedcba9876543210", 1, None)
    again.close()


def test_reports_are_chained_over_epochs(tmp_path: Path) -> None:
    """Each report names the one sealed before it, also across a restart, and seq rises in its epoch."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    digests = []
    for _ in range(2):
        outbox.commit(bench.run())
        digests += drain(outbox, bench)
    outbox.close()
    bench.epoch = "fedcba9876543210"
    outbox = bench.open()
    outbox.commit(bench.run())
    digests += drain(outbox, bench)

    reports = [report_of(outbox, digest) for digest in digests]

    assert [report.seq for report in reports] == [1, 2, 1]
    assert [r.predecessor.digest if r.predecessor else None for r in reports] == [None, *digests[:2]]
    outbox.close()


def test_only_known_digests_are_forgotten(tmp_path: Path) -> None:
    """Acknowledgements of other digests change nothing, those of ours free the report."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    outbox.commit(bench.run())
    (digest,) = drain(outbox, bench)

    assert outbox.forget(["0" * 64, digest, digest]) == [digest]
    assert outbox.wire(digest) is None
    assert outbox.sealed(0, 10) == []
    outbox.close()


def test_rejected_report_goes(tmp_path: Path) -> None:
    """A report the collector refused for good is not sent again."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    outbox.commit(bench.run())
    (digest,) = drain(outbox, bench)

    assert outbox.reject(digest, "out_of_range")
    assert not outbox.reject(digest, "out_of_range")
    assert outbox.sealed(0, 10) == []
    outbox.close()


def test_fresh_report_takes_the_newest_runs(tmp_path: Path) -> None:
    """A fresh report holds the runs since a boot time of this boot; the rest waits for the backlog."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    runs = [bench.run() for _ in range(5)]
    for run in runs:
        outbox.commit(run)

    since = runs[3].clock.boot_ms
    old = outbox.seal(bench.time.clock(), Order.OLDEST, since_boot_ms=since)
    fresh = outbox.seal(bench.time.clock(), Order.NEWEST, since_boot_ms=since)

    assert fresh is not None
    assert old is not None
    assert drain(outbox, bench) == []
    rest = old.digest
    assert [run.id for run in report_of(outbox, fresh.digest).runs] == [run.id for run in runs[3:]]
    assert [run.id for run in report_of(outbox, rest).runs] == [run.id for run in runs[:3]]
    outbox.close()


def test_another_boot_is_never_fresh(tmp_path: Path) -> None:
    """Boot times of a former boot are not compared with those of this one."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    outbox.commit(bench.run())
    bench.time.boot_id, bench.time.boot_ms = "boot-two", 1_000

    assert outbox.seal(bench.time.clock(), Order.NEWEST, since_boot_ms=0) is None
    outbox.close()


@pytest.mark.parametrize("limit", [16 * 1024, 64 * 1024])
def test_sealed_bytes_stay_within_the_bound(tmp_path: Path, limit: int) -> None:
    """However much waits, no sealed report is larger than its bound, and every run is in one."""
    bench = Bench(tmp_path, report=limit)
    outbox = bench.open()
    runs = [noisy(bench, 3_000) for _ in range(60)]
    for run in runs:
        assert outbox.commit(run) is Kept.STORED

    digests = drain(outbox, bench)

    wires = [outbox.wire(digest) or b"" for digest in digests]
    assert max(map(len, wires)) <= limit
    assert min(map(len, wires[:-1])) > limit // 3
    assert [run.id for wire in wires for run in codec.decode(wire).runs] == [run.id for run in runs]
    outbox.close()


def test_giant_run_becomes_a_failed_run(tmp_path: Path) -> None:
    """A run that no report can carry arrives as failed, with its reason, and blocks nobody."""
    bench = Bench(tmp_path, report=16 * 1024)
    outbox = bench.open()
    giant, small = noisy(bench, 40_000), bench.run()

    assert outbox.commit(giant) is Kept.AS_FAILED
    assert outbox.commit(small) is Kept.STORED
    (digest,) = drain(outbox, bench)

    told = report_of(outbox, digest).runs
    assert [(run.id, run.status) for run in told] == [(giant.id, Status.FAILED), (small.id, Status.OK)]
    assert told[0].error is not None
    assert "too large" in told[0].error.message
    outbox.close()


def test_run_that_outgrew_a_smaller_bound_is_told(tmp_path: Path) -> None:
    """A run stored under a larger bound than today's is sealed as failed instead of looping for ever."""
    bench = Bench(tmp_path, report=64 * 1024)
    outbox = bench.open()
    giant = noisy(bench, 40_000)
    assert outbox.commit(giant) is Kept.STORED
    outbox.close()
    bench.report = 8 * 1024
    outbox = bench.open()

    (digest,) = drain(outbox, bench)

    (run,) = report_of(outbox, digest).runs
    assert (run.id, run.status) == (giant.id, Status.FAILED)
    outbox.close()


@pytest.mark.parametrize(
    "sample",
    [
        Sample("usage.cpu_percent", float("nan"), "%"),
        Sample("usage.cpu_percent", float("inf"), "%"),
        Sample("no dots", 1.0, "%"),
        Sample("usage.cpu_percent", 1.0, "%", {"a": "x" * 200}),
    ],
)
def test_invalid_run_never_spoils_a_report(tmp_path: Path, sample: Sample) -> None:
    """A run that breaks a rule of the message becomes a failed run; its neighbours travel."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    run = bench.run()
    bad = Run(run.id, run.probe, run.clock, 1, Status.OK, (sample,))

    assert outbox.commit(bad) is Kept.AS_FAILED
    (digest,) = drain(outbox, bench)

    assert report_of(outbox, digest).runs[0].status is Status.FAILED
    outbox.close()


def test_unchanged_facts_stay_behind_once_acknowledged(tmp_path: Path) -> None:
    """Facts travel until the collector has acknowledged them, then only their digest: under 200 bytes."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    sent = []
    for facts in ((DISK,), (DISK,), (DISK,), (OTHER,), (DISK,)):
        outbox.commit(bench.run("hardware", facts))
        (digest,) = drain(outbox, bench)
        sent.append(report_of(outbox, digest).runs[0])
        if len(sent) != 1:
            outbox.forget([digest])

    assert [run.unchanged for run in sent] == [False, False, True, False, False]
    assert [run.facts for run in sent] == [(DISK,), (DISK,), (), (OTHER,), (DISK,)]
    assert len(codec.encode(sent[2])) < 450
    outbox.close()


def test_unchanged_run_costs_little_in_a_report(tmp_path: Path) -> None:
    """An unchanged inventory adds less than 200 bytes to a report that travels anyway."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    many = tuple(Fact("disk", f"sd{n}", {"serial": codec.digest(str(n).encode())}) for n in range(30))
    outbox.commit(bench.run("hardware", many))
    outbox.forget(drain(outbox, bench))
    sizes = []
    for with_inventory in (False, True):
        for _ in range(5):
            outbox.commit(bench.run())
        if with_inventory:
            outbox.commit(bench.run("hardware", many))
        (digest,) = drain(outbox, bench)
        sizes.append(len(outbox.wire(digest) or b""))
        outbox.forget([digest])

    assert 0 < sizes[1] - sizes[0] < 200
    outbox.close()


def test_full_facts_again(tmp_path: Path) -> None:
    """The full set is sent again after seven days, to another collector, and by another process."""
    bench = Bench(tmp_path)
    outbox = bench.open()

    def unchanged() -> bool:
        outbox.commit(bench.run("hardware", (DISK,)))
        (digest,) = drain(outbox, bench)
        run = report_of(outbox, digest).runs[0]
        outbox.forget([digest])
        return run.unchanged

    outbox.speak_to("one")
    assert [unchanged(), unchanged()] == [False, True]
    bench.time.boot_ms += FULL_FACTS_EVERY_MS
    assert [unchanged(), unchanged()] == [False, True]
    outbox.speak_to("one")
    assert unchanged()
    outbox.speak_to("two")
    assert [unchanged(), unchanged()] == [False, True]
    outbox.close()
    bench.epoch = "fedcba9876543210"
    outbox = bench.open()
    assert [unchanged(), unchanged()] == [False, True]
    outbox.close()


def test_late_acknowledgement_of_older_facts_is_not_taken_for_new(tmp_path: Path) -> None:
    """Facts of an older run, acknowledged last, do not become the known set."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    old, new = bench.run("hardware", (OTHER,)), bench.run("hardware", (DISK,))
    outbox.commit(old)
    outbox.commit(new)
    fresh = outbox.seal(bench.time.clock(), Order.NEWEST, since_boot_ms=new.clock.boot_ms)
    assert fresh is not None
    outbox.forget([fresh.digest])
    outbox.forget(drain(outbox, bench))

    outbox.commit(bench.run("hardware", (OTHER,)))
    (digest,) = drain(outbox, bench)

    assert not report_of(outbox, digest).runs[0].unchanged
    outbox.close()


def test_full_outbox_drops_the_oldest_and_says_so(tmp_path: Path) -> None:
    """The bound drops the oldest data first; every run is then either here or counted in a gap."""
    bench = Bench(tmp_path, total=600_000)
    outbox = bench.open()
    runs = []
    for at in range(400):
        runs.append(noisy(bench, 3_000))
        outbox.commit(runs[-1])
        if at % 7 == 0:
            outbox.seal(bench.time.clock(), Order.OLDEST)
    counts = outbox.counts()
    assert counts is not None
    assert counts.used_bytes <= 600_000

    digests = [sealed.digest for sealed in outbox.sealed(0, 1000)] + drain(outbox, bench)
    reports = [report_of(outbox, digest) for digest in digests]

    kept = {run.id for report in reports for run in report.runs}
    gaps = [gap for report in reports for gap in report.gaps]
    dropped = [run for run in runs if run.id not in kept]
    assert dropped
    assert dropped == runs[: len(dropped)]
    assert sum(gap.runs for gap in gaps) == len(dropped)
    assert {gap.reason for gap in gaps} == {"outbox_full"}
    assert min(gap.from_wall_ms for gap in gaps) == dropped[0].clock.wall_ms
    outbox.close()


def test_gap_of_a_dropped_report_is_told_again(tmp_path: Path) -> None:
    """A gap that travelled in a report which itself had to be dropped is not forgotten."""
    bench = Bench(tmp_path, total=300_000)
    outbox = bench.open()
    total = 0
    for _ in range(600):
        outbox.commit(noisy(bench, 3_000))
        total += 1
        outbox.seal(bench.time.clock(), Order.OLDEST)

    digests = [sealed.digest for sealed in outbox.sealed(0, 1000)] + drain(outbox, bench)
    reports = [report_of(outbox, digest) for digest in digests]

    told = sum(gap.runs for report in reports for gap in report.gaps)
    assert told + sum(len(report.runs) for report in reports) == total
    outbox.close()


def test_copied_folder_keeps_run_ids(tmp_path: Path) -> None:
    """A copy of the folder sends the same runs under the same ids, in reports of its own epoch."""
    bench = Bench(tmp_path / "one")
    bench.folder.mkdir()
    outbox = bench.open()
    runs = [bench.run() for _ in range(3)]
    for run in runs:
        outbox.commit(run)
    outbox.close()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    found = []
    for name, epoch in (("one", "1" * 16), ("two", "2" * 16)):
        copy = Bench(tmp_path / name, epoch=epoch, time=bench.time).open()
        (digest,) = drain(copy, bench)
        found.append((digest, [run.id for run in report_of(copy, digest).runs]))
        copy.close()

    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1] == [run.id for run in runs]


def test_looking_in_from_outside(tmp_path: Path) -> None:
    """The counts are read while the agent writes, and shown to people with the gaps."""
    bench = Bench(tmp_path, report=16 * 1024)
    assert look_into(tmp_path) is None
    outbox = bench.open()
    for _ in range(3):
        outbox.commit(bench.run())
    outbox.seal(bench.time.clock(), Order.OLDEST)
    outbox.commit(bench.run())
    counts = look_into(tmp_path)

    assert counts is not None
    assert counts == outbox.counts()
    assert (counts.runs, counts.reports, counts.gaps) == (1, 1, ())
    told = dataclasses.replace(counts, gaps=(Gap("usage", 7, 1, 2, "outbox_full"),))
    shown = lines(told, bench.time.wall_ms() + 3 * 3600 * 1000)
    assert any("3 h old" in line for line in shown)
    assert shown[-1] == "gap: 7 runs of usage lost, outbox_full"
    outbox.close()
    (tmp_path / FILE_NAME).write_bytes(b"x" * 5000)
    with pytest.raises(OutboxUnreadable, match="put aside"):
        look_into(tmp_path)


def test_two_threads_lose_nothing(tmp_path: Path) -> None:
    """Runs committed while reports are sealed and forgotten end up in exactly one report each."""
    bench = Bench(tmp_path)
    outbox = bench.open()
    runs = [bench.run() for _ in range(150)]
    clock = bench.time.clock()
    writer = threading.Thread(target=lambda: [outbox.commit(run) for run in runs])
    found: list[str] = []
    writer.start()
    while writer.is_alive() or outbox.waiting():
        if sealed := outbox.seal(clock, Order.NEWEST):
            found += [run.id for run in report_of(outbox, sealed.digest).runs]
            outbox.forget([sealed.digest])
    writer.join()
    outbox.close()

    assert sorted(found) == sorted(run.id for run in runs)
