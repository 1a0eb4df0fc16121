"""The board of sites and the API of sites, units and figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest

from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    AssetState,
    Estate,
    Link,
    LinkKind,
    Placement,
    Site,
    SiteUnit,
    StaffCount,
    Succession,
    SuccessionKind,
    Unit,
)
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger import machines, node_settings, placements
from hatang_collector.ledger.users import Role
from hatang_collector.web.sites import SiteState, natural, site_state, titles
from support.wait import until
from web import webkit
from web.webkit import START_MS, World, usage

DAY_MS = 86_400_000
MERGED = date(2020, 1, 1)
ESTATE = Estate(
    units=(
        Unit("46", "Tỉnh Thừa Thiên Huế", "tỉnh"),
        Unit("20008", "UBND xã Thượng Nhật", "xã", "46", 2),
        Unit("20002", "UBND xã Hương Phú", "xã", "46", 1),
        Unit("old", "UBND xã Hương Giang", "xã", "46", 3, valid_to=MERGED),
        Unit("20009", "UBND xã Hương Xuân", "xã", "46", 3, valid_from=MERGED),
        Unit("p1", "Phòng Nội vụ", "phòng", "46", 8),
        Unit("p2", "Phòng Tư pháp", "phòng", "46", 9),
    ),
    successions=(Succession("old", "20009", MERGED, SuccessionKind.MERGE),),
    sites=(
        Site("TN", "Trụ sở Thượng Nhật", "Thôn Lập"),
        Site("HP", "UBND xã Hương Phú"),
        Site("NHA/1", "Nhà liên cơ quan"),
    ),
    site_units=(
        SiteUnit("TN", "20008"),
        SiteUnit("HP", "20002"),
        SiteUnit("NHA/1", "p1"),
        SiteUnit("NHA/1", "p2"),
    ),
    links=(
        Link("TN-1", "TN", LinkKind.CPNET, "VNPT", 100, 50.5),
        Link("TN-2", "TN", LinkKind.FTTH, "", None, None, essential=False),
        Link("TN-3", "TN", LinkKind.LTE, "Viettel", 30, None, essential=False),
        Link("TN-old", "TN", LinkKind.WAN, "FPT", 4, 4, valid_to=MERGED),
    ),
    assets=(
        Asset("A1", AssetKind.DESKTOP, "20008", "TN", "cbcc"),
        Asset("A2", AssetKind.LAPTOP, "20008", "", "cbcc"),
        Asset("A3", AssetKind.DESKTOP, "20008", "TN", "chung"),
        Asset("A4", AssetKind.DESKTOP, "20008", "TN", state=AssetState.BROKEN),
        Asset("A5", AssetKind.PRINTER, "20008", "TN"),
    ),
    staff_counts=(StaffCount("20008", "cbcc", 4),),
)


def declare(world: World, wanted: Estate = ESTATE) -> None:
    """Put an estate in the ledger."""

    def change(estate: Estate) -> Estate:
        return replace(wanted, staff_groups=estate.staff_groups)

    estates.edit(world.ledger, change, who="test", role="admin", now_ms=START_MS)


def place(world: World, agent: str, site: str = "", unit: str = "", staff_group: str = "") -> None:
    """Say where a machine stands."""
    with world.ledger.write() as c:
        placements.put(c, Placement(agent, START_MS - 1000, unit, site, staff_group))


def settle(site: webkit.Site, world: World, codes: int = 3) -> httpx.Client:
    """A client, once the board knows the sites and the machines: it reads the ledger every few seconds."""
    world.clock.ms += 6_000
    api = site.api()
    until(lambda: len(sites(api)) == codes)
    return api


def sites(api: Any, **params: str) -> dict[str, Any]:
    """The sites of the API by code."""
    answer = api.get("/api/v1/sites", params=params)
    assert answer.status_code == 200, answer.text
    return {one["code"]: one for one in answer.json()["sites"]}


def counted(figure: dict[str, Any]) -> tuple[Any, ...]:
    """What matters of a figure."""
    return figure["a"], figure["b"], figure["state"]


def test_a_card_tells_what_is_known_and_nothing_more(site: webkit.Site, world: World) -> None:
    """Title of the unit, links with contract and not judged, machines out of the declared, coverage."""
    declare(world)
    agents = [world.add(number, asset_code=f"A{number}") for number in (1, 2)]
    for agent in agents:
        place(world, agent, "TN")
    world.report(agents[0], usage(1.0))
    page = site.session(Role.VIEWER)
    text = until(lambda: found if '<b class="low">1</b>/3' in (found := page.get("/").text) else "")
    assert "Thông suốt" not in text
    assert "<bdi>UBND xã Thượng Nhật</bdi>" in text
    assert "<bdi>Trụ sở Thượng Nhật</bdi>" in text
    assert '<b>CPNet</b> <span title="100/50,5 Mbit/s">VNPT 100/50,5</span> <i>chưa theo dõi</i>' in text
    assert "<b>FTTH</b> <i>chưa theo dõi</i>" in text
    assert "Viettel 30/–" in text
    assert "FPT" not in text
    assert "số liệu 14,3%" in text, "seen 1 of 3, antivirus and firewall of none of two"
    assert "Phòng Nội vụ, Phòng Tư pháp" in text
    assert 'href="/sites/NHA%2F1"' in text


def test_states_follow_freshness_and_hours(site: webkit.Site, world: World) -> None:
    """Fresh to the bound of 390 s, then no data; in the evening closed; without a machine said so."""
    declare(world)
    agent = world.add(1)
    place(world, agent, "TN")
    api = settle(site, world)
    assert sites(api)["HP"]["state"] == "no_machine"
    reported = world.clock()
    world.report(agent, usage(1.0))
    until(lambda: sites(api)["TN"]["state"] == "data")
    world.clock.ms += 390_000
    later = world.clock()
    until(lambda: sites(api)["TN"]["now"]["at_ms"] == later and sites(api)["TN"]["state"] == "data")
    world.clock.ms += 1
    until(lambda: sites(api)["TN"]["state"] == "no_data")
    found = sites(api)["TN"]
    assert (found["last_report_ms"], counted(found["now"])) == (reported, (0, 3, "khong"))
    assert counted(found["window"]) == (1, 3, "co")
    world.clock.ms += 12 * 3_600_000
    until(lambda: sites(api)["TN"]["state"] == "closed")


def test_the_interval_of_a_setting_counts(site: webkit.Site, world: World) -> None:
    """A unit whose machines report every ten minutes is not without data after seven."""
    declare(world)
    settle(site, world)
    with world.ledger.write() as c:
        node_settings.put(c, "unit:20008", "", "reporting.report_s", 600, who="test", now_ms=START_MS)
    agent, other = world.add(1), world.add(2)
    place(world, agent, "TN")
    place(world, other, "HP")
    for one in (agent, other):
        world.report(one, usage(1.0))
    api = site.api()
    until(lambda: [sites(api)[code]["state"] for code in ("TN", "HP")] == ["data", "data"])
    world.clock.ms += 7 * 60_000
    until(lambda: [sites(api)[code]["state"] for code in ("TN", "HP")] == ["data", "no_data"])
    page = site.session(Role.VIEWER)
    until(lambda: page.get("/machines?state=silent").text.count('<article class="card') == 1)
    assert [one["agent"] for one in api.get("/api/v1/machines?state=silent").json()["machines"]] == [other]
    assert api.get(f"/api/v1/machines/{agent}").json()["machine"]["state"] == "up"


def test_a_machine_enrolled_twice_is_one_machine(site: webkit.Site, world: World) -> None:
    """Two agents with one asset code count once, now and in the window, and the conflict is told."""
    declare(world)
    for number in (1, 2):
        agent = world.add(number, asset_code="A1")
        place(world, agent, "TN")
        world.report(agent, usage(1.0))
    api = settle(site, world)
    until(lambda: len(api.get("/api/v1/sites/TN").json()["machines"]) == 2)
    found = sites(api)["TN"]
    assert (counted(found["now"]), counted(found["window"])) == ((1, 3, "co"), (1, 3, "co"))
    detail = api.get("/api/v1/sites/TN").json()
    assert [one["asset"] for one in detail["machines"]] == ["A1", "A1"]
    assert [one["why"] for one in detail["conflicts"]] == ["several_agents"]
    assert detail["assets_without_agent"] == ["A2", "A3"]


def test_machines_without_a_site_are_not_forgotten(site: webkit.Site, world: World) -> None:
    """They have a card of their own that leads to their list; placing them empties it."""
    declare(world)
    lost, placed = world.add(1, "Máy lạc"), world.add(2, "Máy TN")
    place(world, placed, "TN")
    api, page = settle(site, world), site.session(Role.VIEWER)
    until(lambda: "Máy chưa gán trụ sở" in page.get("/").text)
    assert "Máy chưa gán trụ sở" not in page.get("/?q=huong").text
    nowhere, here = page.get("/machines?site=-").text, page.get("/machines?site=TN").text
    assert "Máy lạc" in nowhere
    assert "Máy TN" not in nowhere
    assert "Máy TN" in here
    assert "Máy lạc" not in here
    assert "UBND xã Thượng Nhật" in here
    assert api.get("/api/v1/sites").json()["unplaced_machines"] == 1
    place(world, lost, unit="20002")
    until(lambda: api.get("/api/v1/sites").json()["unplaced_machines"] == 0)
    until(lambda: "Máy chưa gán trụ sở" not in page.get("/").text)
    assert [one["agent"] for one in api.get("/api/v1/sites/HP").json()["machines"]] == [lost]


FILTERS = {
    "": {"TN", "HP", "NHA/1"},
    "q=thuong+nhat": {"TN"},
    "q=THON+lap": {"TN"},
    "q=tu+phap": {"NHA/1"},
    "q=khong+co": set(),
    "unit=46": {"TN", "HP", "NHA/1"},
    "unit=20002": {"HP"},
    "unit=p2": {"NHA/1"},
    "state=no_machine": {"TN", "HP", "NHA/1"},
    "state=data": set(),
    "state=no_machine&unit=46&q=phu": {"HP"},
}


def test_filters(site: webkit.Site, world: World) -> None:
    """Words without marks, a unit with all below it, a state; page and API alike."""
    declare(world)
    api, page = settle(site, world), site.session(Role.VIEWER)
    for query, codes in FILTERS.items():
        found = api.get(f"/api/v1/sites?{query}").json()["sites"]
        assert {one["code"] for one in found} == codes, query
        assert page.get(f"/?{query}").text.count('<article class="card') == len(codes), query


def test_worst_first_then_official_order(site: webkit.Site, world: World) -> None:
    """Of equal states the order is that of the units, not of the alphabet or of the codes."""
    declare(world)
    agent = world.add(1)
    place(world, agent, "TN")
    api = settle(site, world)
    until(lambda: list(sites(api)) == ["TN", "HP", "NHA/1"])
    world.report(agent, usage(1.0))
    until(lambda: list(sites(api)) == ["HP", "NHA/1", "TN"])


def test_without_a_site_the_page_says_how_to_begin(site: webkit.Site, world: World) -> None:
    """Only who may add one is offered to; the way to the machines is there for both."""
    admin, viewer = (site.session(role).get("/").text for role in (Role.ADMIN, Role.VIEWER))
    assert 'href="/offices/new"' in admin
    assert 'href="/offices/new"' not in viewer
    assert all('href="/machines"' in one and "Chưa có trụ sở nào" in one for one in (admin, viewer))
    assert world.ledger is not None


def test_many_sites_are_pages(site: webkit.Site, world: World) -> None:
    """Sixty cards a page; the filter stays with the links to the other pages."""
    many = tuple(Site(f"S{number}", f"Trụ sở {number}") for number in range(130))
    declare(world, Estate(sites=many))
    page = site.session(Role.VIEWER)
    until(lambda: "130" in page.get("/").text)
    first, last = page.get("/?q=tru").text, page.get("/?q=tru&page=3").text
    assert (first.count('<article class="card'), last.count('<article class="card')) == (60, 10)
    assert 'href="/?q=tru&amp;unit=&amp;state=&amp;page=2"' in first


def test_units_of_a_day(site: webkit.Site, world: World) -> None:
    """As they were: the unit that merged is there before, its successor after."""
    declare(world)
    api = site.api()

    def codes(**params: str) -> list[str]:
        return [one["code"] for one in api.get("/api/v1/units", params=params).json()["units"]]

    assert codes() == ["46", "20002", "20008", "20009", "p1", "p2"]
    assert codes(on="2019-06-01") == ["46", "20002", "20008", "old", "p1", "p2"]
    assert codes(parent="46", q="xa phu") == ["20002"]
    assert codes(parent="") == ["46"]
    assert api.get("/api/v1/units?on=yesterday").status_code == 422


def test_figures_of_a_unit(site: webkit.Site, world: World) -> None:
    """Staff, machines now and in the window, per group and for the tree above; the two are told apart."""
    declare(world)
    first, second = world.add(1, asset_code="A1"), world.add(2, asset_code="A3")
    place(world, first, "TN", staff_group="cbcc")
    place(world, second, "TN", staff_group="chung")
    world.report(second, usage(1.0), at_ms=START_MS - 3 * DAY_MS)
    world.report(first, usage(1.0))
    api = site.api()
    for code in ("20008", "46"):
        found = api.get(f"/api/v1/units/{code}/figures").json()
        assert found["on"] == found["structure"] == "2026-11-20"
        assert counted(found["machines"]["now"]) == (1, 3, "co")
        assert counted(found["machines"]["window"]) == (2, 3, "co")
        assert found["machines"]["window"]["coverage"] == {"a": 2, "b": 3, "percent": 66.7}
        groups = {one["staff_group"]: one for one in found["groups"]}
        assert groups["cbcc"]["people"] == 4
        assert counted(groups["cbcc"]["machines"]["window"]) == (1, 2, "co")
        assert counted(groups["chung"]["machines"]["now"]) == (0, 1, "khong")
        assert groups["vien_chuc"]["people"] is None
        assert counted(groups["vien_chuc"]["machines"]["now"]) == (None, None, "chua_khai_bao")
    assert (found["sites"], found["links"]) == (3, 3)


def test_figures_of_a_day_gone(site: webkit.Site, world: World) -> None:
    """There is no now-figure of the past, and the window ends with the day asked for."""
    declare(world)
    agent = world.add(1, asset_code="A1")
    with world.ledger.write() as c:
        placements.put(c, Placement(agent, START_MS - 90 * DAY_MS, site="TN"))
    world.report(agent, usage(1.0), at_ms=START_MS - 40 * DAY_MS)
    api = site.api()

    def window(**params: str) -> tuple[Any, ...]:
        found = api.get("/api/v1/units/20008/figures", params=params).json()["machines"]
        assert (found["now"] is None) == ("on" in params)
        return counted(found["window"])

    assert window() == (0, 3, "khong")
    assert window(on="2026-11-09") == (None, 3, "khong_do_duoc"), "enrolled only later"
    with world.ledger.write() as c:
        machines.retire(c, agent, START_MS)
    assert window() == (None, 3, "khong_do_duoc"), "a retired machine counts no more"


def test_figures_refuse_what_cannot_be(site: webkit.Site, world: World) -> None:
    """A unit that is not there names the one that stands for it; the future is not counted."""
    declare(world)
    api = settle(site, world)
    answer = api.get("/api/v1/units/old/figures")
    assert answer.status_code == 404
    assert "20009" in answer.json()["next_step"]
    assert api.get("/api/v1/units/old/figures?structure=2019-06-01").status_code == 200
    assert api.get("/api/v1/units/46/figures?on=2026-11-21").status_code == 422
    assert api.get("/api/v1/units/nobody/figures").status_code == 404
    assert api.get("/api/v1/sites/nowhere").status_code == 404
    assert api.get("/api/v1/sites/NHA/1").json()["site"]["code"] == "NHA/1"


@pytest.mark.parametrize(
    ("fresh", "members", "is_open", "state"),
    [
        (0, 0, True, SiteState.NO_MACHINE),
        (0, 0, False, SiteState.NO_MACHINE),
        (1, 2, True, SiteState.DATA),
        (1, 2, False, SiteState.DATA),
        (0, 2, True, SiteState.NO_DATA),
        (0, 2, False, SiteState.CLOSED),
    ],
)
def test_site_states(fresh: int, members: int, is_open: bool, state: SiteState) -> None:
    """Data is data at any hour; its absence means something in working hours only."""
    assert site_state(fresh, members, is_open=is_open) is state


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        ([], ("Nhà A", "")),
        (["UBND xã B"], ("UBND xã B", "Nhà A")),
        (["nhà a"], ("nhà a", "")),
        (["Phòng 1", "Phòng 2"], ("Nhà A", "Phòng 1, Phòng 2")),
    ],
)
def test_titles(units: list[str], shown: tuple[str, str]) -> None:
    """The unit's name where it is the only one, the building's where they share it."""
    assert titles(Site("x", "Nhà A"), units) == shown


def test_names_sort_by_their_numbers() -> None:
    """Xã 2 before Xã 10, marks apart."""
    assert natural("Xã 2") < natural("xa 10")
