"""The registers and the form of a row on real pages: who sees what, links of any sign, saving, speed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest

from hatang_collector.domain import edits
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.difference import identity
from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    DayKind,
    Estate,
    Link,
    LinkKind,
    Site,
    SiteUnit,
    SpecialDay,
    Unit,
)
from hatang_collector.ledger.users import Role
from hatang_collector.sheets.contract import sheets
from support.communes import nam_dong
from support.registers import (
    ODD_CODE,
    acts_in,
    address_of,
    declare,
    estate_in,
    form_in,
    number_in,
    put_in,
)
from web.webkit import Site as Pages
from web.webkit import World

TODAY = date(2026, 11, 20)
UNIT = Unit("20161", "UBND xã Khe Tre", "xã")
HOUSE = Site("ts", "Trụ sở Khe Tre")
LINK = Link("l1", "ts", LinkKind.FTTH, "VNPT", 20.0, 20.0)
READING = [
    "/units",
    "/units/20161",
    "/registers",
    *(f"/registers/{noun}" for noun in sheets()),
    "/registers/assets?history=true&q=khe&on=01/01/2020&page=3",
    "/registers/matching",
    *(f"/registers/matching?show={part}" for part in ("conflicts", "agents", "assets", "matches")),
]


def estate_of(world: World) -> Estate:
    """Nam Đông with everything it had."""
    put_in(world, [row for noun in sheets() for row in getattr(nam_dong(), noun)])
    return estate_in(world)


def save(site: Pages, noun: str, row: edits.Row, **changed: str) -> httpx.Response:
    """Open the form of a row, change some fields, send it."""
    admin = site.session(Role.ADMIN)
    action = f"/registers/{noun}/row"
    form = form_in(admin.get(address_of(noun, row)).text, action)
    return admin.post(action, data={**form.fields, **changed})


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INSPECTOR])
def test_who_may_only_read_sees_everything_and_no_form(site: Pages, world: World, role: Role) -> None:
    """No page offers a change that would be refused."""
    estate_of(world)
    client = site.session(role)
    for path in READING:
        answer = client.get(path)
        assert answer.status_code == 200, path
        for offer in ("/row", "/registers/import", 'action="/registers/', "/edit"):
            assert offer not in answer.text.replace('action="/registers/matching"', ""), (path, offer)
    for path in ("/registers/units/row", "/registers/import"):
        assert client.get(path).status_code == 403


@pytest.mark.parametrize("language", ["vi", "en"])
def test_administrators_are_offered_every_change(site: Pages, world: World, language: str) -> None:
    """In both languages, on every page."""
    estate_of(world)
    admin = site.session(Role.ADMIN)
    admin.cookies.set("hatang_lang", language)
    for path in (*READING, "/registers/import", *(f"/registers/{noun}/row" for noun in sheets())):
        answer = admin.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-language"] == language
    assert "/registers/assets/row" in admin.get("/registers").text
    assert "/registers/import" in admin.get("/registers").text
    assert "/registers/units/row?key=20161" in admin.get("/units/20161").text


def test_counts_are_of_today_and_of_all_versions(site: Pages, world: World) -> None:
    """A link that changed is one link and two rows."""
    declare(world, UNIT, HOUSE, LINK, replace(LINK, provider="Viettel", valid_from=date(2026, 1, 1)))
    page = site.session_page("/registers").text
    row = re.search(r'href="/registers/links">.*?</tr>', page, re.DOTALL)
    assert row is not None
    assert re.findall(r'class="num[^"]*">([^<]*)<', row[0]) == ["1", "2"]


def test_every_row_of_every_noun_saved_as_it_is_changes_nothing(site: Pages, world: World) -> None:
    """As a browser would send it: nothing is noted and nothing in the ledger moves."""
    estate = estate_of(world)
    number = number_in(world)
    for noun in sheets():
        for row in getattr(estate, noun)[:3]:
            answer = save(site, noun, row)
            assert answer.status_code == 303, (noun, row, answer.text)
    assert (estate_in(world), number_in(world), acts_in(world)) == (estate, number, [])


def test_a_code_of_any_sign_is_found_shown_and_changed(site: Pages, world: World) -> None:
    """Links lead to it from the register, from a cell and from the page of the unit; history too."""
    unit = Unit(ODD_CODE, "Đơn vị lạ")
    asset = Asset(ODD_CODE, AssetKind.NAS, ODD_CODE)
    day = SpecialDay(f"unit:{ODD_CODE}", TODAY, DayKind.CLOSED)
    declare(world, unit, asset, day)
    admin = site.session(Role.ADMIN)
    for noun, row in (("units", unit), ("assets", asset), ("special_days", day)):
        page = admin.get(f"/registers/{noun}").text
        (found,) = re.findall(rf'href="(/registers/{noun}/row\?[^"]+)"', page)
        assert unescape(found) == address_of(noun, row)
        assert admin.get(unescape(found)).status_code == 200
    page = admin.get("/registers/assets").text
    (found,) = re.findall(r'href="(/units/[^"]+)"', page)
    at_unit = admin.get(unescape(found))
    assert at_unit.status_code == 200
    (edit,) = re.findall(r'href="(/registers/units/row\?[^"]+)"', at_unit.text)
    assert admin.get(unescape(edit)).status_code == 200
    answer = save(site, "assets", asset, note="đã kiểm tra")
    assert answer.status_code == 303
    after = admin.get(answer.headers["location"])
    assert "đã kiểm tra" in after.text
    assert "Đã lưu" in after.text
    assert estate_in(world).assets == (replace(asset, note="đã kiểm tra"),)


def test_a_contract_changes_from_a_day_on(site: Pages, world: World) -> None:
    """The old rate stays in the history, the new one holds from its day; both are in the log."""
    declare(world, UNIT, HOUSE, LINK)
    answer = save(site, "links", LINK, down_mbps="100", up_mbps="100", valid_from="01/10/2026")
    assert answer.status_code == 303
    since = date(2026, 10, 1)
    assert estate_in(world).links == (
        replace(LINK, valid_to=since),
        replace(LINK, down_mbps=100.0, up_mbps=100.0, valid_from=since),
    )
    assert [(one.action, one.subject) for one in acts_in(world)] == [
        ("link.change", "l1"),
        ("link.add", "l1/2026-10-01"),
    ]
    assert world.pokes == 1
    page = site.session_page("/registers/links?on=30/09/2026").text
    assert ">20<" in page
    assert ">100<" not in page
    shown = site.session_page(answer.headers["location"]).text
    assert ">20<" in shown
    assert ">100<" in shown


def test_a_correction_keeps_the_day(site: Pages, world: World) -> None:
    """One row before, one row after."""
    declare(world, UNIT, HOUSE, LINK)
    assert save(site, "links", LINK, provider="VNPT Huế").status_code == 303
    assert estate_in(world).links == (replace(LINK, provider="VNPT Huế"),)


def test_what_a_row_is_of_cannot_be_changed(site: Pages, world: World) -> None:
    """Whatever a browser sends: the field is fixed on the page, and on the server."""
    declare(world, UNIT, HOUSE, LINK)
    form = form_in(site.session(Role.ADMIN).get(address_of("links", LINK)).text, "/registers/links/row")
    assert form.readonly == {"code"}
    assert save(site, "links", LINK, code="l2", provider="FPT").status_code == 303
    assert estate_in(world).links == (replace(LINK, provider="FPT"),)


def test_errors_stand_beside_the_fields_and_what_was_typed_stays(site: Pages, world: World) -> None:
    """In the language of the reader; nothing was changed."""
    declare(world, UNIT, HOUSE, LINK)
    admin = site.session(Role.ADMIN)
    typed = {"code": "l<2>", "site": "nơi khác", "kind": "", "down_mbps": "nhanh", "essential": "có"}
    answer = admin.post("/registers/links/row", data=typed)
    assert answer.status_code == 400
    assert "“nhanh” không phải là số; ghi số" in answer.text
    assert "không có trụ sở “nơi khác”" in answer.text
    form = form_in(answer.text, "/registers/links/row")
    assert {name: form.fields[name] for name in typed} == {name: [text] for name, text in typed.items()}
    admin.cookies.set("hatang_lang", "en")
    assert "“nhanh” is no number; write a number" in admin.post("/registers/links/row", data=typed).text
    assert estate_in(world).links == (LINK,)


def test_a_row_is_added_with_names_for_codes(site: Pages, world: World) -> None:
    """And is found on the page that follows."""
    declare(world, UNIT, HOUSE)
    admin = site.session(Role.ADMIN)
    form = form_in(admin.get("/registers/site_units/row").text, "/registers/site_units/row")
    typed = {**form.fields, "site": "trụ sở khe tre", "unit": "UBND xã Khe Tre"}
    answer = admin.post("/registers/site_units/row", data=typed)
    assert answer.status_code == 303
    assert estate_in(world).site_units == (SiteUnit("ts", "20161"),)
    assert "UBND xã Khe Tre" in admin.get(answer.headers["location"]).text


def test_a_code_that_is_taken_is_refused(site: Pages, world: World) -> None:
    """Nobody overwrites a thing by adding another one."""
    declare(world, UNIT, HOUSE, LINK)
    typed = {"code": "l1", "site": "ts", "kind": "Di động 4G/5G"}
    answer = site.session(Role.ADMIN).post("/registers/links/row", data=typed)
    assert answer.status_code == 400
    assert "đường truyền này đã có trong sổ" in answer.text
    assert estate_in(world).links == (LINK,)


def test_a_slip_is_saved_only_on_purpose(site: Pages, world: World) -> None:
    """The first time it is told; sent again it is saved; another slip is told again."""
    declare(
        world, UNIT, Asset("a", AssetKind.DESKTOP, "20161", serial="S1"), Asset("b", AssetKind.NAS, "20161")
    )
    admin = site.session(Role.ADMIN)
    other = estate_in(world).assets[1]
    action = "/registers/assets/row"
    first = save(site, "assets", other, serial="S1")
    assert first.status_code == 409
    assert "số sê-ri S1 có ở nhiều tài sản: a, b" in first.text
    assert estate_in(world).assets[1] == other
    form = form_in(first.text, action)
    second = admin.post(action, data={**form.fields, "year": "2090"})
    assert second.status_code == 409
    assert admin.post(action, data=form_in(second.text, action).fields).status_code == 303
    assert estate_in(world).assets[1] == replace(other, serial="S1", year=2090)


def test_somebody_elses_change_is_not_overwritten_unseen(site: Pages, world: World) -> None:
    """The form says what stands there now; sent again it replaces it."""
    declare(world, UNIT, HOUSE, LINK)
    admin = site.session(Role.ADMIN)
    action = "/registers/links/row"
    form = form_in(admin.get(address_of("links", LINK)).text, action)
    declare(world, replace(LINK, provider="FPT"))
    answer = admin.post(action, data={**form.fields, "purpose": "họp"})
    assert answer.status_code == 409
    assert "Hiện có: <bdi>FPT</bdi>" in answer.text
    assert estate_in(world).links == (replace(LINK, provider="FPT"),)
    again = form_in(answer.text, action)
    assert again.fields["purpose"] == ["họp"]
    assert admin.post(action, data=again.fields).status_code == 303
    assert estate_in(world).links == (replace(LINK, purpose="họp"),)


def test_a_row_that_is_gone_is_told(site: Pages, world: World) -> None:
    """To look at, to save, to end and to remove: 404 in words, nothing changed."""
    declare(world, UNIT)
    admin = site.session(Role.ADMIN)
    key = {"key": ["zz", BEGINNING.isoformat()], "sure": "yes", "mark": "0", "end_day": ""}
    answers = [
        admin.get(f"/registers/units/row?{urlencode({'key': key['key']}, doseq=True)}"),
        *(admin.post(f"/registers/units/{act}", data=key) for act in ("row", "end", "remove")),
    ]
    assert [one.status_code for one in answers] == [404] * 4
    assert all("Dòng này không còn trong sổ" in one.text for one in answers)
    assert admin.get("/registers/nothing").status_code == 404
    assert estate_in(world).units == (UNIT,)


def test_a_thing_ends_on_a_day(site: Pages, world: World) -> None:
    """Its history stays; an impossible day is told beside the field."""
    declare(world, UNIT, HOUSE, replace(LINK, valid_from=date(2026, 1, 1)))
    admin = site.session(Role.ADMIN)
    link = estate_in(world).links[0]
    form = form_in(admin.get(address_of("links", link)).text, "/registers/links/end")
    assert form.fields["end_day"] == ["20/11/2026"]
    for day in ("01/01/2026", "hôm qua"):
        answer = admin.post("/registers/links/end", data={**form.fields, "end_day": day})
        assert answer.status_code == 400
        assert form_in(answer.text, "/registers/links/end").fields["end_day"] == [day]
    assert admin.post("/registers/links/end", data=form.fields).status_code == 303
    assert estate_in(world).links == (replace(link, valid_to=TODAY),)
    group = {"key": ["cbcc"], "end_day": ""}
    assert admin.post("/registers/staff_groups/end", data=group).status_code == 400


def test_a_mistake_is_removed_only_on_purpose(site: Pages, world: World) -> None:
    """Without the tick nothing happens; with it the version before may hold again."""
    declare(world, UNIT, HOUSE, LINK)
    declare(world, replace(LINK, down_mbps=500.0, valid_from=date(2026, 6, 1)))
    admin = site.session(Role.ADMIN)
    mistake = estate_in(world).links[1]
    form = form_in(admin.get(address_of("links", mistake)).text, "/registers/links/remove")
    assert form.fields["reopen"] == ["yes"]
    answer = admin.post("/registers/links/remove", data=form.fields)
    assert answer.status_code == 400
    assert "chưa đánh dấu" in answer.text
    assert len(estate_in(world).links) == 2
    assert admin.post("/registers/links/remove", data={**form.fields, "sure": "yes"}).status_code == 303
    assert estate_in(world).links == (LINK,)
    assert [one.action for one in acts_in(world)] == ["link.change", "link.remove"]


def test_what_others_need_is_not_removed(site: Pages, world: World) -> None:
    """The rows that need it are named in the reader's language."""
    declare(world, UNIT, HOUSE, LINK)
    admin = site.session(Role.ADMIN)
    key = {"key": list(identity(HOUSE)), "sure": "yes"}
    answer = admin.post("/registers/sites/remove", data=key)
    assert answer.status_code == 400
    assert "đường truyền l1: “Trụ sở” không có “ts” trong “Trụ sở”; sửa dòng ấy trước" in answer.text
    admin.cookies.set("hatang_lang", "en")
    told = unescape(admin.post("/registers/sites/remove", data=key).text)
    assert "link l1: “Site” 'ts' is not among the Sites; correct that row first" in told
    assert estate_in(world).sites == (HOUSE,)
