"""The decisions of ingest: what a batch of messages becomes, and in which order it is made durable.

``plan`` decides and changes nothing on the disk; ``commit`` journals, then keeps the dead letters,
then hands out the acknowledgements. A commit that failed is called again with the same plan: what
had become durable is not done twice. No socket here; see :mod:`hatang_collector.ingest.mqtt`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hatang_agent.wire import topics
from hatang_agent.wire.codec import Refusal, WireError
from hatang_agent.wire.messages import Farewell
from hatang_agent.wire.topics import Topic
from hatang_collector.domain.clocksync import Clocks, Segment
from hatang_collector.ingest.beats import QUIET_MS, BeatWatch
from hatang_collector.ingest.deadletter import DeadLetters, NewLetter
from hatang_collector.ingest.decode import decode_report
from hatang_collector.ingest.plan import Incoming, LiveBeat, Outcome, Plan, acks
from hatang_collector.ingest.seen import Seen
from hatang_collector.ingest.small import read_beat, read_birth, read_presence
from hatang_collector.journal.segments import Entry
from hatang_collector.journal.streams import Journal
from hatang_collector.live import LiveState
from hatang_collector.metrics import Metrics

StreamOf = Callable[[str], str | None]
"""Agent id -> name of its stream (its role decides), or None for an agent nobody enrolled."""

INGEST_FAILED: Final = "ingest_failed"
TAIL_MS: Final = 3_600_000
TAIL_ENTRIES: Final = 50_000


class Pipeline:
    """Turns messages into journal entries and answers. Safe to call from several threads.

    Args:
        journal: where reports, births, presence, clocks and beat transitions are kept.
        deadletters: where refused bytes are kept.
        stream_of: the registry of agents.
        clocks: clock segments known from before (the ledger's), see :meth:`recover` for newer ones.
        live: what pages show, fed after the fsync.
        metrics: counters of this process.
    """

    def __init__(
        self,
        journal: Journal,
        deadletters: DeadLetters,
        stream_of: StreamOf,
        *,
        clocks: Clocks | None = None,
        live: LiveState | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._journal = journal
        self._deadletters = deadletters
        self._stream_of = stream_of
        self._clocks = clocks or Clocks()
        self._live = live or LiveState()
        self.metrics = metrics or Metrics()
        self._seen = Seen()
        self._watch = BeatWatch()
        self._boots: dict[str, tuple[str, str]] = {}
        self._lock = threading.RLock()
        self.metrics.at_render(self._set_gauges)

    def take(self, batch: Sequence[Incoming]) -> Outcome:
        """Plan, commit and show one batch. Raises OSError when it could not be made durable."""
        with self._lock:
            outcome = self.commit(self.plan(batch))
        self.show(outcome)
        return outcome

    def plan(self, batch: Sequence[Incoming]) -> Plan:
        """What is to be done with a batch; in memory only."""
        plan = Plan()
        with self._lock, self.metrics.stage("decode"):
            for message in batch:
                self._plan_message(plan, message)
        return plan

    def commit(self, plan: Plan) -> Outcome:
        """Make a plan durable; the answers that may leave now. After OSError, call it again with the plan."""
        with self._lock:
            with self.metrics.stage("journal"):
                self._write_entries(plan)
            with self.metrics.stage("deadletters"):
                self._deadletters.put_many(plan.letters)
            plan.letters = []
            for key in plan.keys:
                self._seen.add(key)
            plan.keys = set()
        self.metrics.count_batch(plan.counts)
        return Outcome(list(acks(plan)), plan.written, plan.reports, plan.beats, plan.counts)

    def show(self, outcome: Outcome) -> None:
        """Bring the live state up to what was journaled."""
        with self.metrics.stage("live"):
            for beat in outcome.beats:  # first: a goodbye in the same batch has the last word
                self._live.beat(beat.agent, beat.path, beat.at_ms)
            self._live.apply(outcome.entries, outcome.reports)

    def refuse(self, message: Incoming, detail: str) -> Plan:
        """A plan that keeps a message this program fails on as a dead letter."""
        plan = Plan()
        topic = topics.parse(message.topic)
        self._refuse(plan, message, topic, INGEST_FAILED, detail)
        return plan

    def tick(self, now_ms: int) -> Plan:
        """The transitions that silence makes; to be called about once a second while connected."""
        plan = Plan()
        with self._lock:
            for lost in self._watch.overdue(now_ms):
                if (stream := self._stream_of(lost.agent)) is not None:
                    header = {"path": lost.path, "state": lost.state}
                    plan.write(stream, "beats", lost.agent, now_ms, header, b"")
        return plan

    def reconnected(self, now_ms: int) -> None:
        """The collector could hear nobody until now; silence before that proves nothing."""
        with self._lock:
            self._watch.deaf_until(now_ms)

    def recover(self, now_ms: int, since: Mapping[str, int] | None = None) -> None:
        """Take up the work of the process before: read the journal's last hour, or from ``since`` on.

        ``since``: stream -> index up to which the given clocks are complete (the ledger's cursor).
        """
        for name, stream in self._journal.streams.items():
            recent = max(stream.index_at(now_ms - TAIL_MS), stream.end - TAIL_ENTRIES)
            at = min(recent, (since or {}).get(name, recent))
            while entries := stream.read(at, 500):
                self._remember(name, entries, now_ms)
                self._live.apply([entry for entry in entries if entry.index >= recent])
                at = entries[-1].index + 1

    def _set_gauges(self) -> None:
        totals = self._deadletters.totals()
        self.metrics.set_dead_letters(totals.open, totals.dropped, totals.bytes)
        for name, stream in self._journal.streams.items():
            self.metrics.journal_bytes.labels(name).set(stream.size)

    def _remember(self, stream: str, entries: Sequence[Entry], now_ms: int) -> None:
        for entry in entries:
            header = entry.header
            if entry.kind == "report":
                self._seen.add(_key(entry.agent, "", bytes.fromhex(header["digest"])))
            elif entry.kind == "clock":
                segment = Segment(header["from_boot_ms"], header["offset_ms"])
                self._clocks.restore(entry.agent, header["boot_id"], segment)
            elif entry.kind == "beats":
                self._watch.restore(entry.agent, header["path"], header["state"], now_ms, QUIET_MS[stream])
            else:
                digest = hashlib.sha256(entry.payload).digest()
                self._seen.add(_key(entry.agent, f"{entry.kind}/{header['path']}", digest))

    def _plan_message(self, plan: Plan, message: Incoming) -> None:
        topic = topics.parse(message.topic)
        if topic is None or topic.kind not in _PLANNERS:
            plan.counts["unknown"] += 1
            self._refuse(plan, message, None, Refusal.UNKNOWN_TOPIC, message.topic[:200])
            return
        plan.counts[topic.kind] += 1
        stream = self._stream_of(topic.agent)
        if stream is None:
            if topic.kind == "beat":
                plan.counts["refused:unknown_agent"] += 1
                return
            self._refuse(plan, message, topic, Refusal.UNKNOWN_AGENT, topic.agent)
            return
        try:
            _PLANNERS[topic.kind](self, plan, message, topic, stream)
        except WireError as error:
            self._refuse(plan, message, topic, error.reason, error.detail)

    def _plan_report(self, plan: Plan, message: Incoming, topic: Topic, stream: str) -> None:
        digest = hashlib.sha256(message.payload)
        name = digest.hexdigest()
        if not self._is_new(plan, _key(topic.agent, "", digest.digest())):
            plan.counts["duplicate"] += 1
            plan.confirm(topic.agent, name)
            return
        report = decode_report(message.payload)
        if report.agent != topic.agent:
            raise WireError(Refusal.OTHER_AGENT, f"a report of {report.agent}")
        times = [(run.clock.boot_id, run.clock.boot_ms) for run in report.runs]
        offsets = self._clocks.in_force(topic.agent, [*times, (report.clock.boot_id, report.clock.boot_ms)])
        header = {"epoch": report.epoch, "seq": report.seq, "digest": name, "clocks": offsets}
        plan.write(stream, "report", topic.agent, message.arrived_ms, header, message.payload)
        plan.reports[name] = report
        plan.keys.add(_key(topic.agent, "", digest.digest()))
        plan.confirm(topic.agent, name)

    def _plan_birth(self, plan: Plan, message: Incoming, topic: Topic, stream: str) -> None:
        key = _key(topic.agent, f"birth/{topic.path}", hashlib.sha256(message.payload).digest())
        if not message.payload or not self._is_new(plan, key):
            return
        birth = read_birth(topic, message.payload)
        header = {"path": topic.path, "live": not message.retained}
        plan.write(stream, "birth", topic.agent, message.arrived_ms, header, message.payload)
        plan.keys.add(key)
        self._boots[topic.agent] = (birth.epoch, birth.clock.boot_id)
        if not message.retained:
            boot = (birth.clock.boot_id, birth.clock.boot_ms)
            self._observe(plan, stream, topic.agent, boot, message.arrived_ms)

    def _plan_presence(self, plan: Plan, message: Incoming, topic: Topic, stream: str) -> None:
        key = _key(topic.agent, f"presence/{topic.path}", hashlib.sha256(message.payload).digest())
        if not message.payload or not self._is_new(plan, key):
            return
        presence = read_presence(topic, message.payload)
        plan.write(stream, "presence", topic.agent, message.arrived_ms, {"path": topic.path}, message.payload)
        plan.keys.add(key)
        if presence.reason is not Farewell.LOST:
            self._watch.gone(topic.agent, topic.path)

    def _plan_beat(self, plan: Plan, message: Incoming, topic: Topic, stream: str) -> None:
        if message.retained:
            return
        beat = read_beat(message.payload)
        epoch, boot_id = self._boots.get(topic.agent, ("", ""))
        boot_id = beat.boot_id or (boot_id if epoch == beat.epoch else "")
        if boot_id:
            self._observe(plan, stream, topic.agent, (boot_id, beat.boot_ms), message.arrived_ms)
        turn = self._watch.beat(topic.agent, topic.path, beat.number, message.arrived_ms, QUIET_MS[stream])
        if turn is not None:
            header = {"path": topic.path, "state": turn.state}
            plan.write(stream, "beats", topic.agent, message.arrived_ms, header, b"")
        plan.beats.append(LiveBeat(topic.agent, topic.path, message.arrived_ms))

    def _observe(self, plan: Plan, stream: str, agent: str, boot: tuple[str, int], arrived_ms: int) -> None:
        boot_id, boot_ms = boot
        segment = self._clocks.observe(agent, boot_id, arrived_ms, boot_ms)
        if segment is not None:
            header = {
                "boot_id": boot_id,
                "offset_ms": segment.offset_ms,
                "from_boot_ms": segment.from_boot_ms,
            }
            plan.write(stream, "clock", agent, arrived_ms, header, b"")

    def _is_new(self, plan: Plan, key: bytes) -> bool:
        return key not in self._seen and key not in plan.keys

    def _refuse(self, plan: Plan, message: Incoming, topic: Topic | None, reason: str, detail: str) -> None:
        """Keep the bytes; a sealed report's sender is told, so that it stops sending them."""
        agent = topic.agent if topic else ""
        known = topic is not None and reason != Refusal.UNKNOWN_AGENT
        letter = NewLetter(
            message.topic, agent, message.payload, str(reason), detail, message.arrived_ms, known
        )
        plan.letters.append(letter)
        plan.counts[f"refused:{reason}"] += 1
        if topic is not None and topic.kind == "report":
            plan.reject(agent, hashlib.sha256(message.payload).hexdigest(), str(reason))

    def _write_entries(self, plan: Plan) -> None:
        for name in list(plan.entries):
            new = plan.entries[name]
            with self.metrics.fsync():
                first = self._journal.stream(name).append(new)
            del plan.entries[name]
            plan.counts["journaled"] += len(new)
            plan.written += [
                Entry(first + at, one.kind, one.agent, one.arrived_ms, one.header, one.payload)
                for at, one in enumerate(new)
            ]


def _key(agent: str, kind: str, digest: bytes) -> bytes:
    return digest[:16] + f"{agent}/{kind}".encode()


_PLANNERS: Final[Mapping[str, Callable[[Pipeline, Plan, Incoming, Topic, str], None]]] = {
    "report": Pipeline._plan_report,
    "birth": Pipeline._plan_birth,
    "presence": Pipeline._plan_presence,
    "beat": Pipeline._plan_beat,
}
