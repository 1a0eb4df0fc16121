"""What becomes of a batch of messages, and in which order it is made durable."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import Ack, Beat, Farewell, Rejection
from hatang_collector.domain.timeline import run_utc_ms
from hatang_collector.ingest.decode import decode_report
from hatang_collector.ingest.plan import ack_bytes
from ingest.ingest_support import (
    BOOT,
    NOW_MS,
    PC,
    PROBE,
    STRANGER,
    Bench,
    beat,
    birth,
    changed,
    full_report,
    message,
    presence,
    report,
    run,
    sealed,
)

BROKEN = {
    "not_json": b"not json",
    "wrong_schema": changed(seq="one"),
    "future_schema": changed(schema=2),
    "too_large": b"{" + b" " * codec.MAX_WIRE,
    "other_agent": sealed(agent=PROBE),
    "out_of_range": changed(seq=-5),
    "bad_utf8": b'{"schema":1,"x":"\xff"}',
    "inflates_too_large": zlib.compress(b" " * 9_000_000),
    "bad_deflate": zlib.compress(b"{}")[:-2],
}


def test_a_good_report_is_journaled_and_acked(bench: Bench) -> None:
    """The exact bytes are in the journal of the agent's stream, and the answer names their digest."""
    wire, other = sealed(1), sealed(1, agent=PROBE)
    outcome = bench.pipeline.take([message(wire), message(other, agent=PROBE, at_ms=NOW_MS + 5)])
    assert dict(outcome.acks) == {PC: Ack((codec.digest(wire),)), PROBE: Ack((codec.digest(other),))}
    (entry,) = bench.entries("pc")
    assert (entry.kind, entry.agent, entry.payload, entry.arrived_ms) == ("report", PC, wire, NOW_MS)
    assert entry.header == {"epoch": "0123456789abcdef", "seq": 1, "digest": codec.digest(wire), "clocks": {}}
    assert [one.payload for one in bench.entries("probe")] == [other]
    assert bench.live.machines().keys() == {PC, PROBE}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_reports_end_as_dead_letters(bench: Bench, reason: str) -> None:
    """Every kind of broken report is kept with its reason, told to the agent, and harms no neighbour."""
    bad, good = BROKEN[reason], sealed(1)
    outcome = bench.pipeline.take([message(bad), message(good)])
    (letter,) = bench.deadletters.letters()
    assert (letter.reason, letter.payload, letter.topic) == (reason, bad, topics.report(PC))
    assert outcome.acks == [
        (PC, Ack((codec.digest(good),))),
        (PC, Ack(rejected=(Rejection(codec.digest(bad), reason),))),
    ]
    assert [one.payload for one in bench.entries()] == [good]


def test_nan_is_refused(bench: Bench) -> None:
    """Numbers that JSON does not have are refused even where every field is in place."""
    text = json.dumps(codec.plain(full_report())).replace("12.5", "NaN").encode()
    bench.pipeline.take([message(text)])
    assert bench.reasons() == ["not_json"]


@pytest.mark.parametrize(
    "topic",
    ["hatang/v1/99/" + PC + "/report", "hatang/v1/1/" + PC + "/secret", "hatang/v1/1/UPPER/report", "x", ""],
)
def test_messages_on_other_topics_are_kept(bench: Bench, topic: str) -> None:
    """A topic that is none of ours is a dead letter; nobody can be told."""
    outcome = bench.pipeline.take([message(sealed(1), topic=topic or "hatang/v1")])
    assert (bench.reasons(), outcome.acks) == (["unknown_topic"], [])


def test_agents_nobody_enrolled(bench: Bench) -> None:
    """Their reports are kept and refused; enrolled later, the letters can be retried."""
    wire = sealed(1, agent=STRANGER)
    outcome = bench.pipeline.take([message(wire, agent=STRANGER), beat(1, 1, NOW_MS, agent=STRANGER)])
    assert dict(outcome.acks) == {STRANGER: Ack(rejected=(Rejection(codec.digest(wire), "unknown_agent"),))}
    assert bench.reasons() == ["unknown_agent"]
    assert not bench.live.machines()


def test_a_resent_report_is_acked_but_not_journaled_again(bench: Bench) -> None:
    """Lost answers cost an answer, not a journal entry, also within one batch."""
    wire = sealed(1)
    first = bench.pipeline.take([message(wire), message(wire)])
    again = bench.pipeline.take([message(wire)])
    assert first.acks == [(PC, Ack((codec.digest(wire),) * 2))]
    assert again.acks == [(PC, Ack((codec.digest(wire),)))]
    assert len(bench.entries()) == 1


def test_a_stolen_report_is_not_acked(bench: Bench) -> None:
    """Bytes seen from their own agent are still refused when another one sends them."""
    wire = sealed(1)
    bench.pipeline.take([message(wire)])
    outcome = bench.pipeline.take([message(wire, agent=PROBE)])
    assert dict(outcome.acks) == {PROBE: Ack(rejected=(Rejection(codec.digest(wire), "other_agent"),))}


def test_a_restart_remembers_what_was_journaled(bench: Bench) -> None:
    """A resend across a restart is not journaled a second time; clocks and live state are there again."""
    wire = sealed(1)
    bench.pipeline.take([birth(10_000), message(wire)])
    bench.close()
    bench.open()
    bench.pipeline.recover(NOW_MS + 60_000)
    machine = bench.live.get(PC)
    assert machine is not None
    assert machine.values["usage", ()]["cpu_percent"].value == 12.5
    assert machine.online == {"main": True}
    outcome = bench.pipeline.take([message(wire), birth(10_000, retained=True), message(sealed(2))])
    assert outcome.acks == [(PC, Ack((codec.digest(wire), codec.digest(sealed(2)))))]
    assert [entry.kind for entry in bench.entries()] == ["birth", "clock", "report", "report"]
    assert bench.entries()[-1].header["clocks"] == {BOOT: NOW_MS - 10_000}


def test_a_live_birth_gives_the_time(bench: Bench) -> None:
    """Runs of a boot heard live have a certain time, which is journaled with the report."""
    bench.pipeline.take([birth(10_000, at_ms=NOW_MS), message(sealed(1), at_ms=NOW_MS + 60_000)])
    kinds = [entry.kind for entry in bench.entries()]
    assert kinds == ["birth", "clock", "report"]
    entry = bench.entries(kind="report")[0]
    assert bench.entries(kind="clock")[0].header == {
        "boot_id": BOOT,
        "offset_ms": NOW_MS - 10_000,
        "from_boot_ms": 10_000,
    }
    assert run_utc_ms(decode_report(entry.payload).runs[0], entry.header["clocks"]) == (NOW_MS + 50_000, True)


def test_a_retained_birth_gives_no_time(bench: Bench) -> None:
    """A birth the broker kept says nothing about now."""
    bench.pipeline.take([birth(10_000, retained=True), message(sealed(1))])
    assert [entry.kind for entry in bench.entries()] == ["birth", "report"]
    assert bench.entries()[0].header == {"path": "main", "live": False}
    assert bench.entries()[1].header["clocks"] == {}
    machine = bench.live.get(PC)
    assert machine is not None
    assert machine.online == {}


def test_beats_are_live_and_their_transitions_are_journaled(bench: Bench) -> None:
    """Found and lost are entries; the heartbeats between them are not."""
    bench.pipeline.take([birth(0, agent=PROBE)])
    for number in range(1, 20):
        bench.pipeline.take([beat(number, number * 2_000, NOW_MS + number * 2_000, agent=PROBE)])
    last_ms = NOW_MS + 19 * 2_000
    assert bench.pipeline.tick(last_ms + 6_000).entries == {}
    lost = bench.pipeline.tick(last_ms + 8_000)
    bench.pipeline.show(bench.pipeline.commit(lost))
    assert bench.pipeline.tick(last_ms + 9_000).entries == {}
    bench.pipeline.take([beat(30, 60_000, NOW_MS + 60_000, agent=PROBE)])
    states = [entry.header for entry in bench.entries("probe", kind="beats")]
    assert states == [{"path": "main", "state": state} for state in ("found", "lost", "found")]
    machine = bench.live.get(PROBE)
    assert machine is not None
    assert (machine.online, machine.last_beat_ms) == ({"main": True}, NOW_MS + 60_000)
    assert len(bench.entries("probe", kind="clock")) == 1


def test_an_office_computer_is_not_lost_between_its_rare_beats(bench: Bench) -> None:
    """Two heartbeats at the connect, then one in ten minutes: found once, lost only after three."""
    bench.pipeline.take([birth(0)])
    for number, at_ms in ((1, 0), (2, 40), (3, 600_000), (4, 1_200_000)):
        bench.pipeline.take([beat(number, at_ms, NOW_MS + at_ms)])
        assert bench.pipeline.tick(NOW_MS + at_ms + 599_000).entries == {}
    assert "pc" in bench.pipeline.tick(NOW_MS + 1_200_000 + 1_802_000).entries
    assert [entry.header["state"] for entry in bench.entries(kind="beats")] == ["found"]


def test_silence_of_the_collector_is_nobodys_loss(bench: Bench) -> None:
    """After the collector was away from the broker, paths have their full deadline again."""
    for number in (1, 2, 3):
        at_ms = number * 2_000
        bench.pipeline.take([beat(number, at_ms, NOW_MS + at_ms, agent=PROBE, boot=BOOT)])
    bench.pipeline.reconnected(NOW_MS + 600_000)
    assert bench.pipeline.tick(NOW_MS + 605_000).entries == {}
    assert "probe" in bench.pipeline.tick(NOW_MS + 608_000).entries


def test_a_goodbye_is_journaled_and_ends_the_watch(bench: Bench) -> None:
    """Who said goodbye is not lost."""
    bench.pipeline.take([birth(0), beat(1, 100, NOW_MS, boot=BOOT), presence(Farewell.SHUTDOWN)])
    assert [entry.kind for entry in bench.entries()] == ["birth", "clock", "beats", "presence"]
    assert bench.pipeline.tick(NOW_MS + 10**7).entries == {}
    machine = bench.live.get(PC)
    assert machine is not None
    assert (machine.online, machine.farewell) == ({"main": False}, "shutdown")


@pytest.mark.parametrize("kind", ["birth", "beat", "presence"])
def test_broken_small_messages_are_kept(bench: Bench, kind: str) -> None:
    """They carry no digest to refuse, but their bytes are kept with the reason."""
    topic = {"birth": topics.birth, "beat": topics.beat, "presence": topics.presence}[kind](PC, "main")
    outcome = bench.pipeline.take([message(b'{"epoch":"x"}', topic=topic), message(b"\xff", topic=topic)])
    assert (bench.reasons(), outcome.acks) == (["wrong_schema", "bad_utf8"], [])


def test_small_messages_must_fit_their_topic(bench: Bench) -> None:
    """A birth of another agent or path, an epoch of another shape, are refused."""
    other = birth(1, agent=PROBE)
    bench.pipeline.take([message(other.payload, topic=topics.birth(PC, "main"))])
    bench.pipeline.take([message(birth(1).payload, topic=topics.birth(PC, "second"))])
    bench.pipeline.take([message(codec.encode(Beat("no epoch", 1, 1)), topic=topics.beat(PC, "main"))])
    bench.pipeline.take([message(presence(Farewell.STOP).payload, topic=topics.presence(PC, "second"))])
    assert bench.reasons() == ["other_agent", "out_of_range", "out_of_range", "out_of_range"]


def test_removed_retained_messages_are_nothing(bench: Bench) -> None:
    """An empty retained message only says that the broker forgot."""
    bench.pipeline.take(
        [message(b"", topic=topics.birth(PC, "main")), message(b"", topic=topics.presence(PC, "main"))]
    )
    assert (bench.entries(), bench.reasons()) == ([], [])


def test_nothing_is_acked_before_it_is_durable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails yields no answer; the same plan goes through when the disk is back, once."""
    plan = bench.pipeline.plan(
        [message(sealed(1)), message(b"bad"), message(sealed(2, agent=PROBE), agent=PROBE)]
    )

    def full(_entries: object) -> int:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(bench.journal.stream("probe"), "append", full)
        with pytest.raises(OSError, match="no space"):
            bench.pipeline.commit(plan)
    with monkeypatch.context() as broken:
        broken.setattr(bench.deadletters, "put_many", full)
        with pytest.raises(OSError, match="no space"):
            bench.pipeline.commit(plan)
    outcome = bench.pipeline.commit(plan)
    assert {agent for agent, _ in outcome.acks} == {PC, PROBE}
    assert (len(bench.entries("pc")), len(bench.entries("probe")), bench.reasons()) == (1, 1, ["not_json"])


def test_many_digests_of_one_agent_fit_the_messages(bench: Bench) -> None:
    """Answers are split so that each is within the limit of small messages."""
    batch = [message(sealed(seq)) for seq in range(1, 301)] + [message(b"x%d" % n) for n in range(300)]
    outcome = bench.pipeline.take(batch)
    answers = [codec.decode_small(Ack, ack_bytes(ack)) for _, ack in outcome.acks]
    assert sum(len(ack.journaled) for ack in answers) == 300
    assert sum(len(ack.rejected) for ack in answers) == 300


def test_short_answers_are_encoded_as_the_wire_does() -> None:
    """The quick encoding of the common answer means the same."""
    for count in (1, 2, 5, 6):
        ack = Ack(tuple(codec.digest(b"%d" % n) for n in range(count)))
        assert codec.decode_small(Ack, ack_bytes(ack)) == ack


def test_offsets_are_those_of_the_runs_time(bench: Bench) -> None:
    """A backlog from before a clock moved keeps the offset of its own segment."""
    bench.pipeline.take([birth(0)])
    for number in range(1, 20):
        bench.pipeline.take(
            [beat(number, 10**6 + number * 1000, NOW_MS + 10**6 + number * 1000 + 5_000, boot=BOOT)]
        )
    old = codec.encode(report(1, runs=(run(1, boot_ms=5_000),)))
    bench.pipeline.take([message(old)])
    entry = bench.entries(kind="report")[0]
    assert len(bench.entries(kind="clock")) == 2
    # the report itself was sealed early in the boot: the first segment is in force for all of it
    assert entry.header["clocks"] == {BOOT: NOW_MS}


def test_metrics_count_what_happened(bench: Bench) -> None:
    """Messages by kind, refusals by reason, journaled entries and duplicates are there to be scraped."""
    bench.pipeline.take([message(sealed(1)), message(sealed(1)), message(b"bad"), birth(1)])
    text = bench.pipeline.metrics.render().decode()
    for line in (
        'hatang_messages_total{kind="report"} 3.0',
        'hatang_refused_total{reason="not_json"} 1.0',
        "hatang_duplicates_total 1.0",
        "hatang_journaled_total 3.0",
        "hatang_journal_append_seconds_count 1.0",
    ):
        assert line in text


def test_recovering_reads_clocks_from_the_ledgers_cursor(bench: Bench, tmp_path: Path) -> None:
    """Clock entries the ledger has not taken yet are found however long ago they were journaled."""
    bench.pipeline.take([birth(0, at_ms=NOW_MS)])
    bench.close()
    later_ms = NOW_MS + 10 * 86_400_000
    for since, expected in ((None, {}), ({"pc": 0, "probe": 0}, {BOOT: NOW_MS})):
        bench.open()
        bench.pipeline.recover(later_ms, since)
        plan = bench.pipeline.plan([message(sealed(1), at_ms=later_ms)])
        assert plan.entries["pc"][0].header["clocks"] == expected
        assert bench.live.get(PC) is None
        bench.close()
    bench.open()
