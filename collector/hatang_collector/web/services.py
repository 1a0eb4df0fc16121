"""What the web part is handed. It opens nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hatang_agent.wire.messages import EnrolReply, EnrolRequest
from hatang_collector.clock import NowMs
from hatang_collector.enrol_lines import EnrolOffer
from hatang_collector.ledger.engine import Ledger
from hatang_collector.live import LiveState
from hatang_collector.store.contract import SeriesStore


class Condition(StrEnum):
    """How a part of the collector is, best first."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PartHealth:
    """One part of the collector: ``detail`` says what is wrong, ``hint`` what to do about it."""

    name: str
    condition: Condition
    detail: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The parts of the collector; it is as well as its worst part."""

    parts: tuple[PartHealth, ...] = ()

    @property
    def condition(self) -> Condition:
        """The worst condition of any part, ``ok`` when there are none."""
        order = list(Condition)
        return max((part.condition for part in self.parts), key=order.index, default=Condition.OK)


@dataclass(frozen=True, slots=True)
class Services:
    """Every dependency of the API and the pages.

    ``enrol(request, now_ms)`` raises ``broker.enrol.EnrolRefused``; ``metrics()`` is Prometheus
    text; ``health()`` must answer at once. ``retire(agent, now_ms)`` shuts a machine out for good,
    its history stays. ``enrol_offer()`` is where new machines enrol, for
    :func:`hatang_collector.enrol_lines.lines_to_run`. ``poke()`` says that something which may change
    the machines' configurations was written, so that they follow at once and not within seconds.
    ``address`` is what people type to get here, e.g. ``https://hatang.example``; empty: the address
    the page itself was asked under.
    """

    ledger: Ledger
    live: LiveState
    store: SeriesStore
    enrol: Callable[[EnrolRequest, int], EnrolReply]
    metrics: Callable[[], bytes]
    health: Callable[[], Health]
    now_ms: NowMs
    retire: Callable[[str, int], None]
    enrol_offer: Callable[[], EnrolOffer]
    poke: Callable[[], None]
    address: str = ""
