"""The form and the page of a site: what was typed stays, secrets are shown once, rights hold."""

from __future__ import annotations

import re
from datetime import date

import httpx
import pytest

from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    DayKind,
    Estate,
    Placement,
    Site,
    SpecialDay,
    StaffCount,
)
from hatang_collector.ledger import audit, machines, placements, tokens
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.users import Role
from web.webkit import OFFER, START_MS, World, agent_id, usage
from web.webkit import Site as Pages

FORM = {
    "unit_how": "new",
    "unit_name": "UBND xã Khe Tre",
    "unit_code": "20161",
    "link1_kind": "cpnet",
    "link1_provider": "VNPT",
    "link1_down": "20",
    "link1_up": "20",
    "link1_essential": "on",
    "pcs_cbcc": "2",
    "pcs_chung": "1",
    "probe": "on",
    "days": "7",
}
TOKEN = re.compile(r'<code class="secret">([^<]+)</code>')


def add(site: Pages, **more: str) -> httpx.Response:
    """Send the form as an administrator."""
    return site.session(Role.ADMIN).post("/offices/new", data={**FORM, **more})


def shown(answer: httpx.Response) -> list[str]:
    """The tokens on a page."""
    return TOKEN.findall(answer.text)


def change(world: World, **rows: object) -> None:
    """Put rows into the estate."""

    def put(estate: Estate) -> Estate:
        values = {name: (*getattr(estate, name), *found) for name, found in rows.items()}  # type: ignore[misc]
        return Estate(**{**{name: getattr(estate, name) for name in estate.__slots__}, **values})

    estates.edit(world.ledger, put, who="test", role="admin", now_ms=world.clock())


def test_tokens_are_on_one_answer_only(site: Pages, world: World) -> None:
    """Shown with their lines, and nowhere afterwards: not on the page of the site, not in the log."""
    answer = add(site)
    probe, pcs = shown(answer)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert f"hatang-agent enroll --url {OFFER.url} --pin {OFFER.pin} --token {probe}<" in answer.text
    assert f" URL={OFFER.url} PIN={OFFER.pin} TOKEN={pcs} STAFFGROUP=cbcc" in answer.text
    assert f"--token {pcs} --staff-group chung" in answer.text
    with world.ledger.read() as c:
        log = str(audit.latest(c))
    later = site.session(Role.ADMIN).get("/sites/20161").text
    for text in (probe, pcs):
        secret = text.partition("-")[2]
        assert secret not in later + log
    assert world.pokes == 1


def test_a_bad_form_keeps_what_was_typed(site: Pages, world: World) -> None:
    """Every field as it was, the fault beside its own, and nothing written."""
    answer = add(site, link1_down="hai mươi", address='Thôn "1" <b>', pcs_chung="x")
    assert answer.status_code == 400
    assert 'value="hai mươi"' in answer.text
    assert 'value="Thôn &#34;1&#34; &lt;b&gt;"' in answer.text
    assert 'value="UBND xã Khe Tre"' in answer.text
    assert re.search(
        r'name="link1_down"[^>]*aria-invalid="true" aria-describedby="fault-link1_down"', answer.text
    )
    assert answer.text.count('class="fault"') == 2
    assert "còn 2 mục cần sửa" in answer.text
    with world.ledger.read() as c:
        assert estates.load(c).sites == ()
        assert tokens.every(c) == []


def test_sending_the_form_again_makes_no_second_office(site: Pages, world: World) -> None:
    """Reloading the answer is harmless, and says what there is."""
    add(site)
    again = add(site)
    assert again.status_code == 400
    assert "Đã có trụ sở tên “UBND xã Khe Tre”" in again.text
    assert shown(again) == []
    with world.ledger.read() as c:
        assert len(estates.load(c).sites) == 1


def test_a_known_unit_is_offered_and_found_without_marks(site: Pages, world: World) -> None:
    """The list has names with codes and names without marks; a part of the name is enough."""
    add(site)
    page = site.session(Role.ADMIN).get("/offices/new").text
    assert 'value="UBND xã Khe Tre (20161)" label="ubnd xa khe tre"' in page
    answer = add(site, unit_how="known", unit="khe tre", site_name="Nhà văn hóa")
    assert answer.status_code == 201
    with world.ledger.read() as c:
        assert [(one.site, one.unit) for one in estates.load(c).site_units] == [
            ("20161", "20161"),
            ("20161-2", "20161"),
        ]


def test_the_checklist_follows_what_arrives(site: Pages, world: World) -> None:
    """Waiting, enrolled, reported; after some minutes the command to run is named."""
    probe, pcs = shown(add(site))
    client = site.session(Role.VIEWER)
    assert "Trạm đo: <b>chờ</b>" in client.get("/sites/20161/arrivals").text
    with world.ledger.write() as c:
        for number, token, group in ((1, probe, ""), (2, pcs, "cbcc")):
            claimed = tokens.claim(c, token, world.clock())
            assert isinstance(claimed, tokens.EnrolToken)
            made = Machine(agent_id(number), f"Máy {number}", "", claimed.role, world.clock())
            machines.add(c, made)
            placements.put(
                c, Placement(made.agent, world.clock(), claimed.unit, claimed.site, group, "enrolment")
            )
    world.report(agent_id(2), usage(1.0))
    now = client.get("/sites/20161/arrivals").text
    assert "Trạm đo: <b>đã ghi danh, chưa có báo cáo</b>" in now
    assert "Máy tính: 1/3 đã ghi danh, 1 đã có báo cáo" in now
    assert "Cán bộ, công chức: 1/2" in now
    assert "hatang-agent doctor" not in now
    world.clock.ms += 4 * 60_000
    late = client.get("/sites/20161/arrivals").text
    assert "Trạm đo (Máy 1) đã ghi danh nhưng chưa gửi báo cáo" in late
    assert "<code>hatang-agent doctor</code>" in late
    world.clock.ms += 7 * 86_400_000
    client = site.session(Role.VIEWER)
    assert "Mã ghi danh đã hết hạn khi còn thiếu 2 máy" in client.get("/sites/20161/arrivals").text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INSPECTOR])
def test_others_see_the_site_without_forms(site: Pages, role: Role) -> None:
    """No form but those every page has, and no way to a token."""
    add(site)
    page = site.session(role).get("/sites/20161")
    assert page.status_code == 200
    assert set(re.findall(r'action="([^"]+)"', page.text)) <= {"/language", "/logout"}
    assert "Tạo mã" not in page.text
    assert "VNPT" in page.text


def test_a_contract_is_changed_from_a_day_on(site: Pages) -> None:
    """The page sends on to itself and shows both versions with their days."""
    add(site)
    client = site.session(Role.ADMIN)
    fields = {"code": "20161-cpnet", "day": "01/12/2026", "link1_kind": "cpnet", "link1_provider": "VNPT"}
    answer = client.post("/sites/20161/links", data={**fields, "link1_down": "50", "link1_essential": "on"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sites/20161#links")
    page = client.get("/sites/20161").text
    assert "<b>50/?</b> Mbit/s" in page
    assert "từ 01/12/2026" in page
    assert "đến trước 01/12/2026" in page
    bad = client.post("/sites/20161/links", data={**fields, "day": "31/02/2026", "link1_down": "5 0"})
    assert bad.status_code == 400
    assert 'value="31/02/2026"' in bad.text
    assert 'value="5 0"' in bad.text
    assert bad.text.count('class="fault"') == 2
    ended = client.post("/sites/20161/links", data={**fields, "ends": "on"})
    assert ended.status_code == 303
    assert "đến trước 01/12/2026" in client.get("/sites/20161").text


def test_a_link_nobody_declared_cannot_be_changed(site: Pages) -> None:
    """Neither one of another site."""
    add(site)
    fields = {"code": "other", "day": "01/12/2026", "link1_kind": "cpnet"}
    assert site.session(Role.ADMIN).post("/sites/20161/links", data=fields).status_code == 404


def test_new_tokens_are_shown_once_and_need_a_machine(site: Pages, world: World) -> None:
    """The form comes back when nobody was named; else new tokens replace the old."""
    old = shown(add(site))
    client = site.session(Role.ADMIN)
    refused = client.post("/sites/20161/tokens", data={"days": "3"})
    assert refused.status_code == 400
    assert "Hãy chọn trạm đo hoặc ghi số máy tính" in refused.text
    made = client.post("/sites/20161/tokens", data={"days": "3", "pcs_cbcc": "5", "unit": "20161"})
    (new,) = shown(made)
    assert made.status_code == 201
    with world.ledger.read() as c:
        found = {one.id: one for one in tokens.every(c)}
    assert found[new.partition("-")[0]].expires_ms == START_MS + 3 * 86_400_000
    assert found[old[1].partition("-")[0]].revoked_ms is not None
    assert found[old[0].partition("-")[0]].revoked_ms is None
    assert client.post("/sites/20161/tokens", data={"probe": "on", "unit": "x"}).status_code == 404


def test_the_page_tells_what_is_declared(site: Pages, world: World) -> None:
    """Units, hours with what differs from the week, staff and assets in short."""
    add(site, hours="T2-T7 07:00-11:00")
    change(
        world,
        special_days=[SpecialDay("site:20161", date(2026, 11, 23), DayKind.CLOSED, "Sửa nhà")],
        staff_counts=[StaffCount("20161", "cbcc", 21)],
        assets=[Asset("A1", AssetKind.LAPTOP, "20161"), Asset("A2", AssetKind.PRINTER, "20161", "20161")],
    )
    page = site.session(Role.VIEWER).get("/sites/20161").text
    assert "T2-T7 07:00-11:00" in page
    assert "23/11/2026: <bdi>Sửa nhà</bdi>" in page
    assert "Cán bộ, công chức: 21" in page
    assert "1 máy tính, 1 thiết bị khác" in page
    assert '<a href="/units/20161">' in page
    assert "đang trong giờ làm việc" in page


def test_codes_with_any_sign_have_a_page(site: Pages, world: World) -> None:
    """Registers may bring codes with slashes and spaces."""
    change(world, sites=[Site("TS/01 a", "Trụ sở có gạch chéo")])
    answer = site.session(Role.VIEWER).get("/sites/TS%2F01%20a")
    assert answer.status_code == 200
    assert 'data-arrivals="/sites/TS/01%20a/arrivals"' in answer.text
    assert site.session(Role.VIEWER).get("/sites/TS/01%20a/arrivals").status_code == 200


def test_an_unknown_site_is_told(site: Pages) -> None:
    """As a page, with a way on."""
    answer = site.session(Role.VIEWER).get("/sites/nowhere")
    assert answer.status_code == 404
    assert "Không có trụ sở này" in answer.text
    assert site.session(Role.VIEWER).get("/sites/nowhere/arrivals").status_code == 404


def test_an_api_token_makes_no_office(site: Pages, world: World) -> None:
    """Enrolment tokens go to people only."""
    answer = site.api(Role.ADMIN).post("/offices/new", data=FORM)
    assert answer.status_code == 403
    with world.ledger.read() as c:
        assert estates.load(c).sites == ()


def test_everything_reads_in_english(site: Pages) -> None:
    """Form, tokens and site."""
    client = site.session(Role.ADMIN)
    client.cookies.set("hatang_lang", "en")
    assert "Add an office" in client.get("/offices/new").text
    answer = client.post("/offices/new", data=FORM)
    assert "these tokens are shown this once" in answer.text
    assert "Links and contracts" in client.get("/sites/20161").text
