"""The live state: fresh values stay, late ones change nothing, readers see whole machines."""

from __future__ import annotations

import random
import threading

from hatang_agent.wire import codec
from hatang_agent.wire.messages import Farewell
from hatang_agent.wire.report import Report, Run, RunError, Sample, Status
from hatang_collector.ingest.beats import LONGEST_MS, MAX_PATHS, UNKNOWN_MS, BeatWatch
from hatang_collector.ingest.seen import Seen
from hatang_collector.journal.segments import Entry
from hatang_collector.live import MAX_TRACKS, LiveState, MachineNow
from ingest.ingest_support import BOOT, NOW_MS, PC, beat, birth, presence, report, run

_counter = iter(range(10**9))


def entry_of(sent: Report, arrived_ms: int = NOW_MS) -> Entry:
    """The journal entry of a report."""
    wire = codec.encode(sent)
    header = {"epoch": sent.epoch, "seq": sent.seq, "digest": codec.digest(wire), "clocks": {BOOT: NOW_MS}}
    return Entry(next(_counter), "report", sent.agent, arrived_ms, header, wire)


def shown(*reports: Report) -> MachineNow:
    """The machine after reports in this order of arrival."""
    live = LiveState()
    live.apply([entry_of(one) for one in reports])
    machine = live.get(PC)
    assert machine is not None
    return machine


def cpu(machine: MachineNow) -> float:
    """The one value most tests look at."""
    return machine.values["usage", ()]["cpu_percent"].value


def test_values_of_the_latest_run_are_shown() -> None:
    """Value, unit, corrected time, and how the probe ended."""
    machine = shown(report(1, runs=(run(1, boot_ms=5_000, value=3), run(2, boot_ms=9_000, value=4))))
    value = machine.values["usage", ()]["cpu_percent"]
    assert (value.value, value.unit, value.at_ms) == (4, "percent", NOW_MS + 9_000)
    assert (machine.runs["usage"].status, machine.runs["usage"].at_ms) == ("ok", NOW_MS + 9_000)
    assert (machine.last_run_ms, machine.last_report_ms) == (NOW_MS + 9_000, NOW_MS)
    assert (machine.role, machine.version, machine.epoch) == ("pc", "0.1.0", "0123456789abcdef")


def test_any_order_of_arrival_shows_the_same() -> None:
    """A backlog that arrives behind fresh reports never replaces them."""
    sent = [report(n, runs=(run(n, boot_ms=n * 1_000, value=n),)) for n in range(1, 8)]
    for seed in range(20):
        order = sent[:]
        random.Random(seed).shuffle(order)
        machine = shown(*order)
        assert (cpu(machine), machine.last_run_ms) == (7, NOW_MS + 7_000)


def test_what_a_probe_no_longer_reports_is_gone() -> None:
    """A pulled disk or interface disappears with the probe's next good run; other probes' values stay."""

    def disk(name: str) -> Sample:
        return Sample("disks.used", 1, "bytes", {"disk": name})

    machine = shown(
        report(1, runs=(run(1, probe="disks", samples=(disk("sda"), disk("sdb"))), run(2))),
        report(2, runs=(run(3, probe="disks", boot_ms=61_000, samples=(disk("sda"),)),)),
    )
    assert machine.values.keys() == {("disks", (("disk", "sda"),)), ("usage", ())}


def test_a_failed_run_is_told_and_keeps_the_last_values() -> None:
    """The page can show the old value with its age beside the error and its hint."""
    failed = run(2, boot_ms=61_000, status=Status.FAILED, samples=(), error=RunError("no", "try so"))
    machine = shown(report(1), report(2, runs=(failed,)))
    assert cpu(machine) == 12.5
    assert (machine.runs["usage"].status, machine.runs["usage"].error, machine.runs["usage"].hint) == (
        "failed",
        "no",
        "try so",
    )


def test_no_data_removes_values() -> None:
    """What does not exist any more has no value."""
    machine = shown(report(1), report(2, runs=(run(2, boot_ms=61_000, status=Status.NO_DATA, samples=()),)))
    assert machine.values == {}


def test_memory_is_bounded() -> None:
    """A report with ever new tags cannot grow a machine without end."""
    samples = tuple(Sample("disks.used", 1, "bytes", {"disk": f"d{n}"}) for n in range(MAX_TRACKS + 500))
    assert len(shown(report(1, runs=(run(1, probe="disks", samples=samples),))).values) == MAX_TRACKS
    probes = tuple(run(n + 1, probe="p" + "x" * n, samples=()) for n in range(64))
    more = tuple(run(n + 100, probe="q" + "x" * n, samples=()) for n in range(64))
    assert len(shown(report(1, runs=probes), report(2, runs=more)).runs) == 64


def _entry(kind: str, payload: bytes, **header: object) -> Entry:
    return Entry(next(_counter), kind, PC, NOW_MS, {"path": "main", **header}, payload)


def test_a_late_will_does_not_put_a_machine_offline() -> None:
    """The will of a connection that was replaced long ago is ignored; the present one counts."""
    live = LiveState()
    live.apply([_entry("birth", birth(1, connection=5).payload, live=True)])
    live.apply([_entry("presence", presence(Farewell.LOST, connection=4).payload)])
    machine = live.get(PC)
    assert machine is not None
    assert (machine.online, machine.farewell) == ({"main": True}, None)
    live.apply([_entry("presence", presence(Farewell.SLEEP, connection=5).payload)])
    machine = live.get(PC)
    assert machine is not None
    assert (machine.online, machine.farewell) == ({"main": False}, "sleep")
    live.apply([_entry("birth", birth(1, connection=6).payload, live=True)])
    machine = live.get(PC)
    assert machine is not None
    assert (machine.online, machine.farewell) == ({"main": True}, None)


def test_versions_rise_and_waiters_wake() -> None:
    """A page that waits is woken by a change, and by nothing else."""
    live = LiveState()
    before = live.version
    assert live.wait(before, 0.01) == before
    writer = threading.Thread(target=lambda: live.apply([entry_of(report(1))]))
    writer.start()
    assert live.wait(before, 10) > before
    writer.join()
    now = live.version
    live.apply([])
    assert live.version == now


def test_what_readers_hold_never_changes() -> None:
    """A machine read is a whole: later reports make new ones."""
    live = LiveState()
    live.apply([entry_of(report(1))])
    held = live.machines()[PC]
    values = dict(held.values)
    live.apply([entry_of(report(2, runs=(run(2, boot_ms=99_000, value=1),)))])
    assert held.values == values
    assert live.machines()[PC] is not held


def test_beats_learn_the_rhythm() -> None:
    """Every two seconds or every thirty: three missed in a row are lost, one is not."""
    for interval_ms in (2_000, 30_000):
        watch = BeatWatch()
        first = watch.beat("a", "main", 1, interval_ms)
        assert first is not None
        assert first.state == "found"
        for number in range(2, 10):
            assert watch.beat("a", "main", number, number * interval_ms) is None
        assert watch.overdue(11 * interval_ms) == []
        assert [lost.state for lost in watch.overdue(9 * interval_ms + 3 * interval_ms + 2_000)] == ["lost"]


def test_missing_numbers_do_not_slow_the_rhythm() -> None:
    """Lost heartbeats are known by their numbers: the deadline stays that of the true rhythm."""
    watch = BeatWatch()
    for number in range(1, 60, 3):
        watch.beat("a", "main", number, number * 2_000)
    assert len(watch.overdue(58 * 2_000 + 7_500)) == 1


def test_an_unknown_rhythm_is_given_time() -> None:
    """One heartbeat says nothing about when the next is due; no rhythm is waited for without end."""
    watch = BeatWatch()
    watch.beat("a", "main", 1, 0)
    assert watch.overdue(UNKNOWN_MS) == []
    assert len(watch.overdue(UNKNOWN_MS + 1)) == 1
    watch.beat("b", "main", 1, 0)
    watch.beat("b", "main", 2, 10**9)
    assert len(watch.overdue(10**9 + LONGEST_MS + 1)) == 1


def test_paths_of_an_agent_are_bounded() -> None:
    """Invented paths cost no memory."""
    watch = BeatWatch()
    found = [watch.beat("a", f"p{n}", 1, 0) for n in range(MAX_PATHS + 10)]
    assert sum(one is not None for one in found) == MAX_PATHS


def test_seen_is_bounded_and_remembers_the_latest() -> None:
    """The last keys are always there; memory is twice the capacity at most."""
    seen = Seen(100)
    keys = [b"%d" % n for n in range(1_000)]
    for at, key in enumerate(keys):
        seen.add(key)
        assert all(one in seen for one in keys[max(0, at - 99) : at + 1])
    assert sum(key in seen for key in keys) <= 200


def test_support_messages_are_what_they_say() -> None:
    """The messages these tests are made of are valid."""
    assert isinstance(run(), Run)
    assert beat(1, 2, 3).arrived_ms == 3
