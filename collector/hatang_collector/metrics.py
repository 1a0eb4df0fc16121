"""What the collector says about itself, in Prometheus' text format, on a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest

if TYPE_CHECKING:
    from hatang_collector.store.contract import BadPoint

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_SIZES = (1, 5, 10, 50, 100, 200, 500)


class Metrics:
    """Counters, gauges and histograms of one collector process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made = self.registry
        self.messages = Counter("hatang_messages", "Messages received, by kind", ["kind"], registry=made)
        self.refused = Counter("hatang_refused", "Messages refused, by reason", ["reason"], registry=made)
        self.duplicates = Counter(
            "hatang_duplicates", "Reports acknowledged again, not journaled", registry=made
        )
        self.journaled = Counter("hatang_journaled", "Entries journaled", registry=made)
        self.acked = Counter("hatang_acked", "Digests acknowledged as journaled", registry=made)
        self.rejected = Counter("hatang_rejected", "Digests told as refused", registry=made)
        self.beats_dropped = Counter(
            "hatang_beats_dropped", "Heartbeats dropped by a full queue", registry=made
        )
        self.fsync_seconds = Histogram(
            "hatang_journal_append_seconds", "Time of one durable append", buckets=_SECONDS, registry=made
        )
        self.batch_size = Histogram(
            "hatang_batch_messages", "Messages a batch", buckets=_SIZES, registry=made
        )
        self.stage_seconds = Summary("hatang_ingest_stage_seconds", "Time by stage", ["stage"], registry=made)
        self.queue_depth = Gauge("hatang_ingest_queue", "Messages waiting for ingest", registry=made)
        self.connected = Gauge("hatang_broker_connected", "1 while ingest is connected", registry=made)
        self.projection_lag = Gauge(
            "hatang_projection_lag_entries",
            "Entries not yet applied",
            ["projection", "stream"],
            registry=made,
        )
        self.projected = Counter("hatang_projected", "Entries applied", ["projection"], registry=made)
        self.projection_failed = Counter(
            "hatang_projection_failed", "Entries a projection could not apply", ["projection"], registry=made
        )
        self.store_errors = Counter(
            "hatang_store_errors", "Attempts at an unavailable store", ["projection"], registry=made
        )
        self.bad_points = Counter(
            "hatang_bad_points", "Points a series store refused", ["reason"], registry=made
        )
        self.dead_letters = Gauge("hatang_dead_letters", "Open dead letters", ["reason"], registry=made)
        self.dead_letters_dropped = Gauge(
            "hatang_dead_letters_dropped", "Dead letters dropped by the bounds", ["reason"], registry=made
        )
        self.dead_letter_bytes = Gauge("hatang_dead_letter_bytes", "Bytes of dead letters", registry=made)
        self.journal_bytes = Gauge("hatang_journal_bytes", "Bytes of the journal", ["stream"], registry=made)
        self._refreshers: list[Callable[[], None]] = []

    def stage(self, name: str) -> AbstractContextManager[object]:
        """Measure one stage of ingest."""
        return self.stage_seconds.labels(name).time()

    def fsync(self) -> AbstractContextManager[object]:
        """Measure one durable append."""
        return self.fsync_seconds.time()

    def count_batch(self, counts: Mapping[str, int]) -> None:
        """Count what a batch held: kinds, ``refused:<reason>``, ``duplicate``, ``journaled``."""
        for name, number in counts.items():
            kind, _, reason = name.partition(":")
            if kind == "refused":
                self.refused.labels(reason).inc(number)
            elif kind == "duplicate":
                self.duplicates.inc(number)
            elif kind == "journaled":
                self.journaled.inc(number)
            else:
                self.messages.labels(kind).inc(number)

    def count_bad(self, bad: Iterable[BadPoint]) -> None:
        """Count points that the series store refused."""
        for one in bad:
            self.bad_points.labels(one.reason).inc()

    def set_dead_letters(self, held: Mapping[str, int], dropped: Mapping[str, int], size: int) -> None:
        """Dead letters open and dropped, by reason, and their bytes."""
        self.dead_letters.clear()
        for reason, number in held.items():
            self.dead_letters.labels(reason).set(number)
        for reason, number in dropped.items():
            self.dead_letters_dropped.labels(reason).set(number)
        self.dead_letter_bytes.set(size)

    def at_render(self, refresh: Callable[[], None]) -> None:
        """Have ``refresh`` set gauges just before each rendering."""
        self._refreshers.append(refresh)

    def render(self) -> bytes:
        """Everything, as Prometheus wants it."""
        for refresh in self._refreshers:
            refresh()
        return generate_latest(self.registry)
