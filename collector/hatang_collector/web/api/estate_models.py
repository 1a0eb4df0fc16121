"""What the API sends of sites, units and figures. Days are ISO 8601, days of Vietnam; rates Mbit/s."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from hatang_collector.domain.estate import LinkKind
from hatang_collector.domain.matching import By, Why
from hatang_collector.web.api.figure_models import NOW, REACH, WINDOW, AnswerModel, AskedModel, FigureModel
from hatang_collector.web.sites import SiteState

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
    "now": NOW,
    "window": WINDOW,
    "asked": [REACH],
    "last_report_ms": None,
}


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"example": value})


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


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
    asked: list[AskedModel] = Field(description="networks reached, antivirus, firewall")
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
    name: str = Field(description="label, else asset code, else the start of the agent's id")
    asset: str | None = Field(description="code of the asset it was found to run on")
    counts: bool = Field(description="false for a site probe: it stands in no figure")
    fresh: bool
    last_report_ms: int | None
    answers: list[AnswerModel]
    networks_at_once: list[str] = Field(
        description="networks it is in at the same time when CPNet and Internet are among them; not judged"
    )


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
                {
                    "agent": "k3v7q2m5x4a6b2c3",
                    "name": "Máy kế toán 1",
                    "asset": "TS-1",
                    "counts": True,
                    "fresh": True,
                    "last_report_ms": 1795137960000,
                    "answers": [
                        {
                            "question": "firewall",
                            "network": "",
                            "answer": False,
                            "state": "partial",
                            "current": True,
                            "product": "Windows Defender Firewall",
                            "why": "off: public",
                            "seen_ms": 1795137900000,
                            "paths": [],
                        }
                    ],
                    "networks_at_once": [],
                }
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
    asked: list[AskedModel] = Field(description="networks reached, antivirus, firewall")


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
            "machines": {"now": NOW, "window": WINDOW, "asked": [REACH]},
            "groups": [
                {
                    "staff_group": "cbcc",
                    "name": "Cán bộ, công chức",
                    "people": 14,
                    "machines": {"now": NOW, "window": WINDOW, "asked": [REACH]},
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
