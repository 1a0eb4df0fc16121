"""What the API sends of sites, units and figures. Days are ISO 8601, days of Vietnam; rates Mbit/s."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from hatang_collector.domain.estate import LinkKind
from hatang_collector.domain.figures import Coverage, Figure, FigureState, Kind, Method, Window
from hatang_collector.domain.matching import By, Why
from hatang_collector.web.sites import SiteState

_COVERAGE: Final[dict[str, Any]] = {"a": 13, "b": 14, "percent": 92.9}
_NOW: Final[dict[str, Any]] = {
    "kind": "now",
    "a": 12,
    "b": 14,
    "percent": 85.7,
    "state": "co",
    "method": "both",
    "coverage": {"a": 12, "b": 14, "percent": 85.7},
    "at_ms": 1795137960000,
    "window": None,
}
_WINDOW: Final[dict[str, Any]] = {
    "kind": "window",
    "a": 13,
    "b": 14,
    "percent": 92.9,
    "state": "co",
    "method": "both",
    "coverage": _COVERAGE,
    "at_ms": None,
    "window": {"first": "2026-10-22", "last": "2026-11-20", "days": 30},
}
_UNIT: Final[dict[str, Any]] = {
    "code": "20001",
    "name": "UBND xã Thượng Nhật",
    "kind": "xã",
    "parent": "46",
    "position": 8,
    "valid_from": "1900-01-01",
    "valid_to": None,
}
_SITE: Final[dict[str, Any]] = {
    "code": "TS-08",
    "name": "Trụ sở xã Thượng Nhật",
    "title": "UBND xã Thượng Nhật",
    "address": "Thôn 1",
    "state": "data",
    "units": [{"code": "20001", "name": "UBND xã Thượng Nhật"}],
    "links": [
        {
            "code": "TS-08-CPNET",
            "kind": "cpnet",
            "provider": "VNPT",
            "down_mbps": 100.0,
            "up_mbps": 100.0,
            "essential": True,
        }
    ],
    "now": _NOW,
    "window": _WINDOW,
    "last_report_ms": None,
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


class FigureModel(_Model):
    """a out of b; a is null when nobody could tell, b when nobody declared it. A blank is never zero."""

    model_config = _example(_NOW)

    kind: Kind = Field(description="now: what is fresh; window: seen at least once in the window")
    a: int | None
    b: int | None
    percent: float | None = Field(description="one decimal, half rounded up")
    state: FigureState
    method: Method
    coverage: CoverageModel | None
    at_ms: int | None = Field(description="of a now-figure")
    window: WindowModel | None = Field(description="of a window-figure")

    @staticmethod
    def of(figure: Figure, at_ms: int | None = None) -> FigureModel:
        """The same as a model; ``at_ms`` is when a now-figure was last found to be so."""
        percent = figure.percent
        return FigureModel(
            kind=figure.kind,
            a=figure.a,
            b=figure.b,
            percent=None if percent is None else float(percent),
            state=figure.state,
            method=figure.method,
            coverage=CoverageModel.of(figure.coverage) if figure.coverage else None,
            at_ms=(at_ms or figure.at_ms) if figure.kind is Kind.NOW else None,
            window=WindowModel.of(figure.window) if figure.window else None,
        )


class NamedUnit(_Model):
    """A unit by code, with its name of today."""

    code: str
    name: str


class LinkModel(_Model):
    """A link in force with its contract; rates are null when nobody declared them."""

    code: str
    kind: LinkKind
    provider: str
    down_mbps: float | None
    up_mbps: float | None
    essential: bool


class SiteModel(_Model):
    """One site. The state says whether there is fresh data of a machine there; outages are not judged."""

    model_config = _example(_SITE)

    code: str
    name: str
    title: str = Field(description="the name of its unit, of the site when several units share it")
    address: str
    state: SiteState
    units: list[NamedUnit]
    links: list[LinkModel]
    now: FigureModel
    window: FigureModel
    last_report_ms: int | None = Field(description="the latest report, told while none is fresh")


class SiteList(_Model):
    """One page of a filtered list, and the counts of all that passed the filter by state."""

    model_config = _example(
        {
            "total": 1,
            "page": 1,
            "per_page": 100,
            "states": {"no_data": 0, "no_machine": 0, "closed": 0, "data": 1},
            "unplaced_machines": 0,
            "sites": [_SITE],
        }
    )

    total: int
    page: int
    per_page: int
    states: dict[SiteState, int]
    unplaced_machines: int = Field(description="machines in use that are at no site")
    sites: list[SiteModel]


class SiteMachine(_Model):
    """An agent at a site."""

    agent: str
    asset: str | None = Field(description="code of the asset it was found to run on")
    fresh: bool
    last_report_ms: int | None


class ConflictModel(_Model):
    """What does not fit together and a person should settle."""

    why: Why
    by: By
    agents: list[str]
    assets: list[str]


class SiteDetail(_Model):
    """A site, its machines, and what of declared assets and agents has no counterpart."""

    model_config = _example(
        {
            "site": _SITE,
            "machines": [
                {"agent": "k3v7q2m5x4a6b2c3", "asset": "TS-1", "fresh": True, "last_report_ms": 1795137960000}
            ],
            "assets_without_agent": ["TS-2"],
            "agents_without_asset": [],
            "conflicts": [],
        }
    )

    site: SiteModel
    machines: list[SiteMachine]
    assets_without_agent: list[str]
    agents_without_asset: list[str]
    conflicts: list[ConflictModel]


class UnitModel(_Model):
    """One version of a unit; valid_to is the first day it no longer holds."""

    model_config = _example(_UNIT)

    code: str
    name: str
    kind: str
    parent: str
    position: int
    valid_from: date
    valid_to: date | None


class UnitList(_Model):
    """One page of the units of a day, in official order within each parent."""

    model_config = _example({"on": "2026-11-20", "total": 1, "page": 1, "per_page": 100, "units": [_UNIT]})

    on: date
    total: int
    page: int
    per_page: int
    units: list[UnitModel]


class MachineFiguresModel(_Model):
    """Machines out of the declared ones; now is null when the day asked for is not today."""

    now: FigureModel | None
    window: FigureModel


class GroupModel(_Model):
    """A staff group: its people, and the machines that serve it."""

    staff_group: str
    name: str
    people: int | None = Field(description="null when nobody declared it")
    machines: MachineFiguresModel


class UnattributedModel(_Model):
    """Something that belongs to no single unit of the structure; count is people for staff, else 1."""

    noun: str
    key: list[str]
    unit: str
    count: int
    why: str
    candidates: list[str]


class UnitFiguresModel(_Model):
    """The figures of a unit with all below it: data of one day, in the structure of a day."""

    model_config = _example(
        {
            "unit": "20001",
            "name": "UBND xã Thượng Nhật",
            "on": "2026-11-20",
            "structure": "2026-11-20",
            "machines": {"now": _NOW, "window": _WINDOW},
            "groups": [
                {
                    "staff_group": "cbcc",
                    "name": "Cán bộ, công chức",
                    "people": 14,
                    "machines": {"now": _NOW, "window": _WINDOW},
                }
            ],
            "sites": 1,
            "links": 2,
            "unattributed": [],
            "unplaced_machines": 0,
        }
    )

    unit: str
    name: str
    on: date
    structure: date
    machines: MachineFiguresModel
    groups: list[GroupModel]
    sites: int
    links: int
    unattributed: list[UnattributedModel]
    unplaced_machines: int = Field(description="machines in use that nobody placed; they are in no unit")
