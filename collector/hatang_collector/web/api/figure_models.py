"""What the API sends of figures: numbers with what they count, and the answers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from hatang_collector.domain.figures import Coverage, Figure, FigureState, Kind, Method, Window
from hatang_collector.domain.protection import Counted, Question, Topic

_COVERAGE: Final[dict[str, Any]] = {"a": 13, "b": 14, "percent": 92.9}
NOW: Final[dict[str, Any]] = {
    "kind": "now",
    "out_of": "declared",
    "a": 12,
    "b": 14,
    "percent": 85.7,
    "state": "co",
    "method": "both",
    "coverage": {"a": 12, "b": 14, "percent": 85.7},
    "at_ms": 1795137960000,
    "window": None,
}
WINDOW: Final[dict[str, Any]] = {
    "kind": "window",
    "out_of": "declared",
    "a": 13,
    "b": 14,
    "percent": 92.9,
    "state": "co",
    "method": "both",
    "coverage": _COVERAGE,
    "at_ms": None,
    "window": {"first": "2026-10-22", "last": "2026-11-20", "days": 30},
}
REACH: Final[dict[str, Any]] = {
    "question": "reach",
    "network": "cpnet",
    "configured": True,
    "now": {
        **NOW,
        "out_of": "agents",
        "a": 10,
        "b": 13,
        "percent": 76.9,
        "method": "measured",
        "coverage": {"a": 12, "b": 13, "percent": 92.3},
    },
    "window": {
        **WINDOW,
        "out_of": "agents",
        "a": 10,
        "b": 13,
        "percent": 76.9,
        "method": "measured",
        "coverage": {"a": 13, "b": 13, "percent": 100.0},
    },
    "official": {**WINDOW, "a": 10, "b": 14, "percent": 71.4},
}


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"example": value})


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class CoverageModel(_Model):
    """Machines with a usable fact, out of the machines in the denominator."""

    model_config = _example(_COVERAGE)

    a: int
    b: int
    percent: float | None

    @staticmethod
    def of(coverage: Coverage) -> CoverageModel:
        """The same as a model."""
        found = coverage.percent
        return CoverageModel(a=coverage.a, b=coverage.b, percent=None if found is None else float(found))


class WindowModel(_Model):
    """The days of a window-figure, both included."""

    first: date
    last: date
    days: int

    @staticmethod
    def of(window: Window) -> WindowModel:
        """The same as a model."""
        return WindowModel(first=window.first, last=window.last, days=window.days)


class Population(StrEnum):
    """Which machines are the denominator: those with an agent (máy có tác nhân), or the declared assets."""

    AGENTS = "agents"
    DECLARED = "declared"


class FigureModel(_Model):
    """a out of b; a is null when nobody could tell, b when nobody declared it. A blank is never zero."""

    model_config = _example(NOW)

    kind: Kind = Field(description="now: what is fresh; window: seen at least once in the window")
    out_of: Population = Field(description="what b counts")
    a: int | None
    b: int | None
    percent: float | None = Field(description="one decimal, half rounded up")
    state: FigureState
    method: Method
    coverage: CoverageModel | None
    at_ms: int | None = Field(description="of a now-figure")
    window: WindowModel | None = Field(description="of a window-figure")

    @staticmethod
    def of(figure: Figure, at_ms: int | None = None, out_of: Population = Population.DECLARED) -> FigureModel:
        """The same as a model; ``at_ms`` is when a now-figure was last found to be so."""
        percent = figure.percent
        return FigureModel(
            kind=figure.kind,
            out_of=out_of,
            a=figure.a,
            b=figure.b,
            percent=None if percent is None else float(percent),
            state=figure.state,
            method=figure.method,
            coverage=CoverageModel.of(figure.coverage) if figure.coverage else None,
            at_ms=(at_ms or figure.at_ms) if figure.kind is Kind.NOW else None,
            window=WindowModel.of(figure.window) if figure.window else None,
        )


class AskedModel(_Model):
    """How many machines answer yes to one question.

    A machine without a usable fact (not read, not tested, never told) is neither yes nor no: it lowers the
    coverage. Without a target for a network nobody is asked, and there is no figure.
    """

    model_config = _example(REACH)

    question: Topic = Field(description="reach: reaches the network; antivirus: protected; firewall: on")
    network: str = Field(description="of reach, else empty")
    configured: bool = Field(description="false: no target of this network is configured here")
    now: FigureModel | None = Field(description="of machines with an agent; null when the day is over")
    window: FigureModel | None = Field(description="of machines with an agent")
    official: FigureModel | None = Field(description="that of the window, of the declared machine assets")

    @staticmethod
    def of(counted: Counted, at_ms: int | None = None) -> AskedModel:
        """The same as a model; ``at_ms`` as of :meth:`FigureModel.of`."""
        return AskedModel(
            question=counted.question.topic,
            network=counted.question.network,
            configured=True,
            now=FigureModel.of(counted.now, at_ms, Population.AGENTS) if counted.now else None,
            window=FigureModel.of(counted.window, out_of=Population.AGENTS),
            official=FigureModel.of(counted.official),
        )

    @staticmethod
    def every(asked: Sequence[Counted], wanted: Question, at_ms: int | None = None) -> list[AskedModel]:
        """All figures; of the wanted question it is said when nobody is asked."""
        found = [AskedModel.of(one, at_ms) for one in asked]
        if any(one.question == wanted for one in asked):
            return found
        missing = AskedModel(
            question=wanted.topic,
            network=wanted.network,
            configured=False,
            now=None,
            window=None,
            official=None,
        )
        return [missing, *found]


class PathModel(_Model):
    """What one path (network card, gateway) of a machine says of a network."""

    source: str
    state: str = Field(description="yes, no or not_tested")
    rtt_ms: float | None
    loss: float | None = Field(description="percent")
    jitter_ms: float | None
    how: str = Field(description="what was asked and what came of it, in the agent's words")


class AnswerModel(_Model):
    """What a machine answers to one question: yes, no, or null where nobody knows; and why."""

    question: Topic
    network: str = Field(description="of reach, else empty")
    answer: bool | None = Field(description="the latest known one")
    state: str = Field(
        description="the agent's own word (protected, partial, unreadable …), not_told or not_configured"
    )
    current: bool = Field(description="false: the measurement is switched off or has failed for long")
    product: str
    why: str = Field(description="in the agent's words")
    seen_ms: int | None = Field(description="the latest run that says so")
    paths: list[PathModel] = Field(description="of reach: each path of the machine")
