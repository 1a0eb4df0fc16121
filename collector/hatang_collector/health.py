"""How the collector is, part by part; answers at once, asks nobody over a network."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from hatang_collector.app import Data
from hatang_collector.broker.contract import Broker
from hatang_collector.ingest.mqtt import MqttIngest
from hatang_collector.journal.projection import ProjectionWorker
from hatang_collector.web.services import Condition, Health, PartHealth

LOW_DISK_BYTES = 1 << 30
FULL_DISK_BYTES = 100 << 20
WARN_CERTIFICATE_DAYS = 30


class HealthCheck:
    """Callable: the health of this moment."""

    def __init__(
        self, data: Data, broker: Broker, ingest: MqttIngest, workers: Sequence[ProjectionWorker]
    ) -> None:
        self._data = data
        self._broker = broker
        self._ingest = ingest
        self._workers = workers

    def __call__(self) -> Health:
        """Every part with its condition, what is wrong and what to do."""
        parts = [self._broker_health(), self._ingest_health(), self._disk_health()]
        return Health((*parts, *(self._projection_health(worker) for worker in self._workers)))

    def _broker_health(self) -> PartHealth:
        found = self._broker.health()
        if not found.running:
            return failed("broker", found.detail or "not running", "see the collector's log")
        days = found.certificate_days_left
        if days is not None and days < WARN_CERTIFICATE_DAYS:
            return degraded("broker", f"certificate ends in {days} days", "restart the collector to renew it")
        return PartHealth("broker", Condition.OK)

    def _ingest_health(self) -> PartHealth:
        if self._ingest.connected:
            return PartHealth("ingest", Condition.OK)
        return failed("ingest", "not connected to the broker", "it reconnects by itself")

    def _disk_health(self) -> PartHealth:
        free = shutil.disk_usage(self._data.data_dir).free
        if free >= LOW_DISK_BYTES:
            return PartHealth("disk", Condition.OK)
        tell = failed if free < FULL_DISK_BYTES else degraded
        return tell(
            "disk", f"{free >> 20} MB left in {self._data.data_dir}", "free some; agents keep their data"
        )

    @staticmethod
    def _projection_health(worker: ProjectionWorker) -> PartHealth:
        name = f"projection {worker.projection.name}"
        if worker.trouble is not None:
            return degraded(name, worker.trouble, "nothing is lost; it goes on by itself")
        if not worker.is_alive():
            return failed(name, "its thread has ended", "restart the collector and report this")
        return PartHealth(name, Condition.OK)


def degraded(name: str, detail: str, hint: str) -> PartHealth:
    """A part that works with a limit."""
    return PartHealth(name, Condition.DEGRADED, detail, hint)


def failed(name: str, detail: str, hint: str) -> PartHealth:
    """A part that does not work."""
    return PartHealth(name, Condition.FAILED, detail, hint)
