"""The tables of the registers and the tree of units: pages, downloads, days, structures, speed."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from html import unescape
from urllib.parse import quote

import httpx
import pytest

from hatang_collector.domain.estate import (
    STAFF_GROUPS,
    Asset,
    AssetKind,
    Link,
    LinkKind,
    Site,
    StaffGroup,
    Unit,
)
from hatang_collector.ledger.users import Role
from hatang_collector.sheets import plan
from hatang_collector.sheets.contract import sheets
from hatang_collector.sheets.files import Source
from hatang_collector.web.pages.units import MOST
from hatang_collector.web.register_names import PER_PAGE
from support.communes import nam_dong
from support.registers import declare, estate_in, put_in
from web.webkit import Site as Pages
from web.webkit import World

TODAY = date(2026, 11, 20)
UNIT = Unit("20161", "UBND xã Khe Tre", "xã")
HOUSE = Site("ts", "Trụ sở Khe Tre")
LINK = Link("l1", "ts", LinkKind.FTTH, "VNPT", 20.0, 20.0)


def test_pages_of_a_register(site: Pages, world: World) -> None:
    """Every row is on exactly one page, in order; a page too far is the last one."""
    assets = [Asset(f"A{number:03}", AssetKind.NAS, "20161") for number in range(2 * PER_PAGE + 5)]
    put_in(world, [UNIT, *assets])
    client = site.session(Role.VIEWER)
    found = []
    for number in (1, 2, 3):
        text = client.get(f"/registers/assets?page={number}").text
        found += re.findall(r"<code>(A\d{3})</code>", text)
    assert found == [one.code for one in assets]
    assert "A204" in client.get("/registers/assets?page=99").text
    assert "Dòng 201–205 trong 205" in client.get("/registers/assets?page=3").text


def test_a_download_holds_what_the_page_shows_and_can_be_imported(site: Pages, world: World) -> None:
    """All pages of it, with the filter; formulas are no formulas."""
    put_in(world, [UNIT, HOUSE, LINK, replace(LINK, valid_from=date(2026, 1, 1)), StaffGroup("g", "=1+1")])
    client = site.session(Role.VIEWER)
    answer = client.get("/registers/links/csv?history=true")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="duong-truyen-2026-11-20.csv"' in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert len(rows) == 3
    assert len(client.get("/registers/links/csv").text.splitlines()) == 2
    assert len(client.get("/registers/links/csv?q=viettel").text.splitlines()) == 1
    assert "'=1+1" in client.get("/registers/staff_groups/csv").text
    again = plan.read_files([Source("x.csv", answer.content)], estate_in(world), TODAY)
    assert (again.problems, again.differences) == ([], [])


@pytest.mark.parametrize("path", ["/registers/workbook", "/registers/template"])
def test_workbooks_are_workbooks(site: Pages, world: World, path: str) -> None:
    """What is downloaded can be read back, and changes nothing."""
    put_in(world, [UNIT, HOUSE, LINK])
    answer = site.session_page(path)
    assert ".xlsx" in answer.headers["content-disposition"]
    again = plan.read_files([Source("x.xlsx", answer.content)], estate_in(world), TODAY)
    assert (again.problems, again.differences) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        "/registers/links?on=hôm qua",
        "/units?on=32/01/2026",
        "/registers/links?page=0",
        "/registers/links/csv?on=x",
    ],
)
def test_what_cannot_be_asked_for_is_told(site: Pages, path: str) -> None:
    """422 with a page, not a fault."""
    assert site.session_page(quote(path, safe="/?=&")).status_code == 422


def test_a_new_installation_says_how_to_begin(site: Pages, world: World) -> None:
    """Until something is declared beside the staff groups that are there from the start."""
    assert set(estate_in(world).staff_groups) == set(STAFF_GROUPS)
    assert "Sổ còn trống" in site.session_page("/registers").text
    declare(world, UNIT)
    assert "Sổ còn trống" not in site.session_page("/registers").text


def shown_units(site: Pages, path: str) -> list[tuple[str, list[str]]]:
    """The rows of the tree: the code, and staff, computers, sites and links."""
    text = site.session_page(path).text
    rows = re.findall(r"<tr><th scope=\"row\".*?</tr>", text, re.DOTALL)
    return [
        (re.findall(r"<code>([^<]*)</code>", row)[0], re.findall(r'class="num">([^<]*)<', row))
        for row in rows
    ]


def test_the_tree_of_a_day_with_its_sums(site: Pages, world: World) -> None:
    """Today's three communes; the eleven and their district before the mergers; found without marks."""
    put_in(world, [row for noun in sheets() for row in getattr(nam_dong(), noun)])
    today = shown_units(site, "/units")
    assert [code for code, _ in today] == ["46", "20161", "20179", "20182"]
    for column in range(4):
        whole, *parts = [int(numbers[column]) for _, numbers in today]
        assert whole == sum(parts)
    before = [code for code, _ in shown_units(site, "/units?on=31/12/2018")]
    assert before[:2] == ["46", "HND"]
    assert [f"ND{number:02}" for number in range(1, 12)] == before[2:13]
    assert [code for code, _ in shown_units(site, "/units?q=khe tre")] == ["20161"]
    assert [code for code, _ in shown_units(site, "/units?q=LONG quang")] == ["20182"]
    assert "Không có đơn vị nào khớp" in site.session_page("/units?q=zzz").text


def test_a_unit_that_merged_leads_to_its_successor(site: Pages, world: World) -> None:
    """On a day after the merger the page says who stands for it, with the figures of the day."""
    put_in(world, [row for noun in sheets() for row in getattr(nam_dong(), noun)])
    then = site.session_page("/units/ND01?on=01/01/2019").text
    assert "Huyện Nam Đông" in then
    assert "không có đơn vị này" not in then
    now = unescape(site.session_page("/units/ND01").text)
    assert "Ngày 20/11/2026 không có đơn vị này" in now
    assert 'href="/units/20161?on=20/11/2026&structure=20/11/2026"' in now.replace("%2F", "/")
    both = site.session_page("/units/20161?on=01/01/2019&structure=20/11/2026").text
    assert "Số liệu tại ngày 01/01/2019, theo cơ cấu của ngày 20/11/2026" in both
    assert site.session_page("/units/zz").status_code == 404


def test_a_large_tree_shows_its_upper_levels(site: Pages, world: World) -> None:
    """And says how much is below each of them."""
    communes = [Unit(f"c{number}", f"Xã {number}", parent="46") for number in range(300)]
    rooms = [Unit(f"{one.code}-{n}", f"Phòng {n}", parent=one.code) for one in communes for n in range(2)]
    assert 1 + len(communes) + len(rooms) > MOST
    put_in(world, [Unit("46", "Thành phố Huế"), *communes, *rooms])
    text = site.session_page("/units").text
    assert len(shown_units(site, "/units")) == 301
    assert text.count("và 2 đơn vị bên dưới") == 300


def quickest(ask: Callable[[], httpx.Response], times: int = 4) -> float:
    """Seconds of the quickest of a few answers: what others do on this computer is not measured."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        assert ask().status_code == 200
        found.append(time.perf_counter() - started)
    return min(found)


def test_ten_thousand_assets_are_shown_within_a_second(site: Pages, world: World) -> None:
    """The first page, the last one, with words to look for, with the history, and beside the machines."""
    units = [Unit(f"u{number}", f"UBND xã số {number}") for number in range(100)]
    assets = [
        Asset(
            f"KT-{n:05}", AssetKind.DESKTOP, f"u{n % 100}", label=f"Máy {n}", model="OptiPlex", serial=f"S{n}"
        )
        for n in range(10_000)
    ]
    put_in(world, [*units, *assets])
    for number in range(1, 200):
        world.add(number, f"Máy {number}", asset_code=f"KT-{number:05}")
    client = site.session(Role.VIEWER)
    for path in (
        "/units",
        "/registers",
        "/registers/assets",
        "/registers/assets?page=100",
        "/registers/assets?q=may+77+xa&history=true",
        "/registers/matching",
        "/registers/matching?show=assets&q=4321",
    ):
        assert quickest(lambda path=path: client.get(path)) < 1.0, path  # type: ignore[misc]
