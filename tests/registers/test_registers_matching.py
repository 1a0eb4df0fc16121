"""Assets beside agents: every list, by what evidence, with links, searched and downloaded."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

from hatang_collector.domain.estate import Asset, AssetKind, AssetState, Placement, Site, SiteUnit, Unit
from hatang_collector.domain.matching import By, Why
from hatang_collector.ledger import machines, placements
from hatang_collector.ledger.users import Role
from hatang_collector.web.i18n import LANGUAGES, texts
from hatang_collector.web.matched import Part
from support.registers import ODD_CODE, declare
from web.webkit import Site as Pages
from web.webkit import World, agent_id

PC = AssetKind.DESKTOP


def fill(world: World) -> None:
    """A machine for every kind of evidence, conflict and leftover."""
    declare(
        world,
        Unit("u", "UBND xã Khe Tre"),
        Site("s", "Trụ sở Khe Tre"),
        SiteUnit("s", "u"),
        Asset("A-CODE", PC, "u"),
        Asset("A-SERIAL", PC, "u", serial="PF2K-91XX"),
        Asset("A-LABEL", PC, "u", "s", label="Máy văn thư"),
        Asset("A-BROKEN", PC, "u", state=AssetState.BROKEN),
        Asset(ODD_CODE, PC, "u", label="<b>Máy lạ</b>"),
        Asset("A-PRINTER", AssetKind.PRINTER, "u"),
    )
    world.add(1, "Máy một", asset_code="a-code")
    world.add(2, "Máy hai")
    world.add(3, "máy VĂN THƯ")
    world.add(4, "Máy bốn", asset_code="A-BROKEN")
    world.add(5, "Máy lẻ", asset_code="TS-SAI", role="probe")
    gone = world.add(6, "Máy đã ngừng", asset_code="A-SERIAL")
    with world.ledger.write() as c:
        machines.put_fingerprint(c, agent_id(2), {"board_serial": "pf2k91xx", "mac": "00:1b:21:00:00:01"}, 0)
        placements.put(c, Placement(agent_id(3), 0, "u", "s"))
        machines.retire(c, gone, world.clock())


def rows(site: Pages) -> list[dict[str, str]]:
    """The downloaded table."""
    answer = site.session_page("/registers/matching/csv")
    assert 'filename="doi-chieu-tai-san-2026-11-20.csv"' in answer.headers["content-disposition"]
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def test_every_computer_and_agent_is_in_a_list_once(site: Pages, world: World) -> None:
    """With the evidence; a printer and a retired machine are in none."""
    fill(world)
    found = [
        (row["Danh sách"], row["Mã tài sản"], row["Mã máy đo"], row["Khớp theo"], row["Mâu thuẫn"])
        for row in rows(site)
    ]
    assert sorted(found) == sorted(
        [
            ("Đã khớp", "A-CODE", agent_id(1), "theo mã tài sản", ""),
            ("Đã khớp", "A-SERIAL", agent_id(2), "theo số sê-ri", ""),
            ("Đã khớp", "A-LABEL", agent_id(3), "theo nhãn", ""),
            ("Đã khớp", "A-BROKEN", agent_id(4), "theo mã tài sản", ""),
            (
                "Mâu thuẫn",
                "A-BROKEN",
                agent_id(4),
                "theo mã tài sản",
                "Đang gửi số liệu nhưng sổ ghi là hỏng, đã thanh lý hoặc mất",
            ),
            ("Máy đo được, chưa có trong sổ", "", agent_id(5), "", ""),
            ("Tài sản chưa đo được", ODD_CODE, "", "", ""),
        ]
    )


def test_the_first_list_that_is_not_empty_is_shown(site: Pages, world: World) -> None:
    """Conflicts first; without any, what is on one side only."""
    empty = site.session_page("/registers/matching").text
    assert "Không có mục nào" in empty
    declare(world, Unit("u", "Xã"), Asset("A", PC, "u"))
    text = site.session_page("/registers/matching").text
    assert re.findall(r'show=(\w+)" aria-current', text) == ["assets"]
    world.add(1, "Máy một")
    assert re.findall(r'show=(\w+)" aria-current', site.session_page("/registers/matching").text) == [
        "agents"
    ]


def test_lists_count_link_and_search(site: Pages, world: World) -> None:
    """An administrator is led to the forms, everybody else to what can be read."""
    fill(world)
    viewer, admin = site.session(Role.VIEWER), site.session(Role.ADMIN)
    text = viewer.get("/registers/matching?show=assets").text
    assert re.findall(r"<b>(\d+)</b>", text) == ["1", "1", "1", "4"]
    assert "<b>Máy lạ</b>" not in text
    (read,) = re.findall(r'href="(/registers/assets\?q=[^"]+)"', text)
    assert "Máy lạ" in viewer.get(unescape(read)).text
    (edit,) = re.findall(
        r'href="(/registers/assets/row\?[^"]+)"', admin.get("/registers/matching?show=assets").text
    )
    assert admin.get(unescape(edit)).status_code == 200
    agents = admin.get("/registers/matching?show=agents").text
    assert f'href="/machines/{agent_id(5)}"' in agents
    assert f'href="/machines/{agent_id(5)}/edit"' in agents
    assert "TS-SAI" in agents
    assert "Máy đo tại trụ sở" in agents
    matches = viewer.get("/registers/matching?show=matches&q=pf2k91").text
    assert "A-SERIAL" in matches
    assert "A-CODE" not in matches
    assert "Không có dòng nào khớp" in viewer.get("/registers/matching?show=matches&q=zzzz").text
    assert viewer.get("/registers/matching?show=nothing").status_code == 422


def test_every_evidence_reason_and_list_has_its_words() -> None:
    """In both languages: a page never fails for a new one."""
    for language in LANGUAGES:
        keys = texts(language).entries.keys()
        assert {f"matching.by.{one}" for one in By} | {f"matching.why.{one}" for one in Why} <= keys
        assert {f"matching.{what}.{one}" for one in Part for what in ("part", "about")} <= keys


def test_long_lists_have_pages(site: Pages, world: World) -> None:
    """All of them are reached."""
    declare(world, Unit("u", "Xã"), *[Asset(f"A{number:03}", PC, "u") for number in range(150)])
    first = site.session_page("/registers/matching?show=assets").text
    (onward,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = site.session_page(unescape(onward)).text
    codes = re.findall(r"<code>(A\d{3})</code>", first + second)
    assert codes == [f"A{number:03}" for number in range(150)]
