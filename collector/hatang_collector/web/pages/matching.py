"""Assets and agents: what belongs together, what contradicts, what is on one side only."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, Response

from hatang_collector.ledger import machines
from hatang_collector.ledger.users import User
from hatang_collector.sheets.labels import label
from hatang_collector.web import i18n
from hatang_collector.web.downloads import BOM, csv_text, download
from hatang_collector.web.estate import estate_of
from hatang_collector.web.i18n import Texts
from hatang_collector.web.matched import Line, Part, Sides
from hatang_collector.web.register_names import LONGEST_QUERY, PER_PAGE
from hatang_collector.web.register_table import names_of
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import VIEWER, services_of
from hatang_collector.web.site_board import serials_of
from hatang_collector.web.summary import folded

router = APIRouter(prefix="/registers/matching", include_in_schema=False)


def _sides(request: Request) -> Sides:
    now = estate_of(request)
    with services_of(request).ledger.read() as c:
        everyone = [one for one in machines.every(c) if one.retired_ms is None]
        prints = machines.fingerprints(c)
    serials = {agent: serials_of(values) for agent, values in prints.items()}
    names = names_of(now.estate, now.tree, now.today)
    return Sides(now.estate, now.tree, now.today, names, everyone, now.placements, serials)


@router.get("")
def matching(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    show: Part | None = None,
    q: Annotated[str, Query(max_length=LONGEST_QUERY)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """One of the lists, else the first that is not empty."""
    sides = _sides(request)
    counts = sides.counts()
    part = show or next((one for one in Part if counts[one]), Part.CONFLICTS)
    lines = list(sides.lines([part]))
    words = folded(q).split()
    if words:
        lines = [line for line in lines if all(word in line.text() for word in words)]
    pages = max(1, -(-len(lines) // PER_PAGE))
    number = min(number, pages)
    language = language_of(request)
    values = {
        "part": part,
        "counts": counts,
        "lines": lines[(number - 1) * PER_PAGE : number * PER_PAGE],
        "found": len(lines),
        "q": q,
        "number": number,
        "pages": pages,
        "address": lambda page: urlencode({"show": part, "q": q, "page": page}),
        "name": lambda value: label(value, language),
    }
    return page(request, "matching.html", user, values)


@router.get("/csv", dependencies=[Depends(VIEWER)])
def as_csv(request: Request) -> Response:
    """All four lists for a spreadsheet."""
    language = language_of(request)
    t = i18n.texts(language)
    rows = [[t(f"matching.csv.{name}") for name in _COLUMNS]]
    rows += [_cells(line, t) for line in _sides(request).lines()]
    content = (BOM + csv_text(rows)).encode()
    name = f"doi-chieu-tai-san-{estate_of(request).today.isoformat()}.csv"
    return download(content, "text/csv; charset=utf-8", name)


_COLUMNS: Final = (
    "part", "why", "by", "asset", "kind", "state", "asset_label", "serial", "asset_unit", "asset_site",
    "agent", "agent_label", "agent_code", "agent_serials", "agent_unit", "agent_site",
)  # fmt: skip


def _cells(line: Line, t: Texts) -> list[str]:
    """One row; where several agents or assets contradict each other, each cell names them all."""
    assets, agents = line.assets, line.agents
    language = t.language
    several = [
        [one.asset.code for one in assets],
        [label(one.asset.kind, language) for one in assets],
        [label(one.asset.state, language) for one in assets],
        [one.asset.label for one in assets],
        [one.asset.serial for one in assets],
        [one.unit for one in assets],
        [one.site for one in assets],
        [one.agent for one in agents],
        [one.label for one in agents],
        [one.asset_code for one in agents],
        [", ".join(one.serials) for one in agents],
        [one.unit for one in agents],
        [one.site for one in agents],
    ]
    return [
        t(f"matching.part.{line.part}"),
        t(f"matching.why.{line.why}") if line.why else "",
        t(f"matching.by.{line.by}") if line.by else "",
        *("\n".join(part) if any(part) else "" for part in several),
    ]
