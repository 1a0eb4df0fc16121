"""What an administrator changes about a machine, and what everybody sees of it afterwards."""

from __future__ import annotations

import json
import re

import pytest

from hatang_collector.broker.enrol import BY_ENROLMENT
from hatang_collector.domain import edits
from hatang_collector.domain.estate import Estate, Placement, Site, SiteUnit, Unit
from hatang_collector.ledger import audit, findings, machines, placements, receipts
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.audit import Change
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.users import Role
from web.webkit import START_MS, World, agent_id, usage
from web.webkit import Site as RunningSite

DAY_MS = 86_400_000
MIDNIGHT_MS = START_MS - 30_360_000
"""The beginning of 20/11/2026 in Vietnam, the local day of START_MS."""

ENROLLED_MS = START_MS - 1000
KHE_TRE = {"unit": "20161", "site": "KT", "staff_group": "cbcc"}


@pytest.fixture
def agent(world: World) -> str:
    """A machine, and a commune with two offices, one of them shared."""
    rows = (
        Unit("46", "Thành phố Huế"),
        Unit("20161", "UBND xã Khe Tre", "xã", "46"),
        Unit("TT", "Trung tâm hành chính công", "trung tâm", "20161"),
        Site("KT", "Trụ sở Khe Tre"),
        Site("NVH", "Nhà văn hoá"),
        SiteUnit("KT", "20161"),
        SiteUnit("KT", "TT"),
        SiteUnit("NVH", "20161"),
    )

    def declare(estate: Estate) -> Estate:
        return edits.put_all(estate, rows)

    estates.edit(world.ledger, declare, who="test", role="admin", now_ms=START_MS)
    return world.add(1, "Máy 1", asset_code="TS-01")


def stored(world: World, agent: str) -> Machine:
    """The machine as the ledger has it."""
    with world.ledger.read() as c:
        found = machines.get(c, agent)
    assert found is not None
    return found


def history(world: World, agent: str) -> list[Placement]:
    """Its placements, oldest first."""
    with world.ledger.read() as c:
        return placements.history(c, agent)


def acts(world: World) -> list[Change]:
    """The acts of the test's administrator, oldest first."""
    with world.ledger.read() as c:
        return list(reversed(audit.search(c, who="admin")))


def test_label_and_asset_code_change_and_the_log_has_both_values(
    site: RunningSite, world: World, agent: str
) -> None:
    """Only what differs is noted; the page shows the new name; hostile text stays text."""
    admin = site.session(Role.ADMIN)
    form = {"label": "  Máy  <b>kế toán</b> ", "asset_code": "TS-01"}
    answer = admin.post(f"/machines/{agent}/edit", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/machines/{agent}")
    assert stored(world, agent).label == "Máy <b>kế toán</b>"
    (act,) = acts(world)
    assert (act.action, act.subject) == ("machine.change", agent)
    assert json.loads(act.detail) == {"label": ["Máy 1", "Máy <b>kế toán</b>"]}
    assert "Máy &lt;b&gt;kế toán" in admin.get(f"/machines/{agent}").text
    assert admin.post(f"/machines/{agent}/edit", data=form).status_code == 303
    assert len(acts(world)) == 1


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"label": "x" * 101, "asset_code": "A"}, "nhiều nhất 100 ký tự"),
        ({"label": "x", "asset_code": "A" * 65}, "nhiều nhất 64 ký tự"),
        ({"label": "a\x07b", "asset_code": ""}, "không in được"),
    ],
)
def test_texts_that_cannot_be_are_refused(
    site: RunningSite, world: World, agent: str, form: dict[str, str], told: str
) -> None:
    """Too long or not printable: nothing changes, and the form still has what was typed."""
    answer = site.session(Role.ADMIN).post(f"/machines/{agent}/edit", data=form)
    assert answer.status_code == 400
    assert told in answer.text
    assert f'value="{form["asset_code"]}"' in answer.text
    assert stored(world, agent).asset_code == "TS-01"


def test_a_moved_machine_keeps_its_history(site: RunningSite, world: World, agent: str) -> None:
    """Every place with its day and who said so; reports stay; configurations are told at once."""
    world.report(agent, usage(5.0))
    admin = site.session(Role.ADMIN)
    assert admin.post(f"/machines/{agent}/move", data=KHE_TRE).status_code == 303
    world.clock.ms += DAY_MS
    there = {"unit": "", "site": "NVH", "staff_group": "chung"}
    admin = site.session(Role.ADMIN)
    assert admin.post(f"/machines/{agent}/move", data=there).status_code == 303
    assert history(world, agent) == [
        Placement(agent, START_MS, "20161", "KT", "cbcc", "admin"),
        Placement(agent, START_MS + DAY_MS, "", "NVH", "chung", "admin"),
    ]
    assert world.pokes == 2
    page = site.session_page(f"/machines/{agent}").text
    table = page[page.index('id="history"') :].partition("</section>")[0]
    told = re.sub(r"<[^>]+>", " ", table)
    assert re.search(
        r"21/11/2026 08:26:00\s+–\s+Nhà văn hoá\s+Dùng chung \(một cửa, hội trường\)\s+admin\s+"
        r"20/11/2026 08:26:00\s+UBND xã Khe Tre\s+Trụ sở Khe Tre\s+Cán bộ, công chức\s+admin",
        told,
    )
    with world.ledger.read() as c:
        assert receipts.of(c, agent).reports == 1
    first, second = acts(world)
    assert (first.action, first.subject) == ("machine.move", agent)
    assert json.loads(first.detail) == {
        "from_ms": START_MS,
        "unit": ["", "20161"],
        "site": ["", "KT"],
        "staff_group": ["", "cbcc"],
    }
    assert json.loads(second.detail)["unit"] == ["20161", ""]


@pytest.mark.parametrize(
    ("day", "from_ms"),
    [
        ("", START_MS + 3 * DAY_MS),
        ("22/11/2026", MIDNIGHT_MS + 2 * DAY_MS),
        ("23/11/2026", MIDNIGHT_MS + 3 * DAY_MS),
        ("1/1/2020", ENROLLED_MS),
    ],
)
def test_a_move_begins_on_the_day_given(
    site: RunningSite, world: World, agent: str, day: str, from_ms: int
) -> None:
    """At local midnight, never before the machine was enrolled; without a day, now."""
    world.clock.ms += 3 * DAY_MS
    data = {**KHE_TRE, "day": day}
    assert site.session(Role.ADMIN).post(f"/machines/{agent}/move", data=data).status_code == 303
    assert [one.from_ms for one in history(world, agent)] == [from_ms]


def test_the_same_day_again_corrects_and_the_log_keeps_both(
    site: RunningSite, world: World, agent: str
) -> None:
    """A slip of the same day leaves no stay that never was; who corrected it is in the log."""
    world.clock.ms += 3 * DAY_MS
    admin = site.session(Role.ADMIN)
    for group in ("cbcc", "chung"):
        data = {**KHE_TRE, "staff_group": group, "day": "22/11/2026"}
        assert admin.post(f"/machines/{agent}/move", data=data).status_code == 303
    assert [one.staff_group for one in history(world, agent)] == ["chung"]
    assert json.loads(acts(world)[-1].detail)["staff_group"] == ["cbcc", "chung"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"day": "31/02/2026"}, "dd/mm/yyyy"),
        ({"day": "hôm qua"}, "dd/mm/yyyy"),
        ({"day": "24/11/2026"}, "còn ở phía trước"),
        ({"day": "21/11/2026"}, "sớm hơn lần đặt chỗ hiện tại"),
        ({"unit": "99999"}, "không có đơn vị đã chọn"),
        ({"site": "nowhere"}, "không có trụ sở đã chọn"),
        ({"staff_group": "nobody"}, "Không có nhóm cán bộ đã chọn"),
        ({"unit": ""}, "nhiều đơn vị"),
    ],
)
def test_a_move_that_cannot_be_is_refused(
    site: RunningSite, world: World, agent: str, change: dict[str, str], told: str
) -> None:
    """Nothing changes, nobody is told to follow, the form keeps what was chosen."""
    world.clock.ms += 3 * DAY_MS
    with world.ledger.write() as c:
        placements.put(c, Placement(agent, MIDNIGHT_MS + 2 * DAY_MS, "TT", "KT"))
    before = history(world, agent)
    data = {**KHE_TRE, **change}
    answer = site.session(Role.ADMIN).post(f"/machines/{agent}/move", data=data)
    assert answer.status_code == 400
    assert told in answer.text
    if data["staff_group"] == "cbcc":
        assert '<option value="cbcc" selected>' in answer.text
    assert (history(world, agent), acts(world), world.pokes) == (before, [], 0)


def test_moving_to_where_it_stands_is_no_move(site: RunningSite, world: World, agent: str) -> None:
    """The history has no stay twice."""
    admin = site.session(Role.ADMIN)
    for _ in range(2):
        assert admin.post(f"/machines/{agent}/move", data=KHE_TRE).status_code == 303
        world.clock.ms += 60_000
    assert (len(history(world, agent)), len(acts(world))) == (1, 1)


def test_retiring_takes_a_confirmation_and_keeps_everything(
    site: RunningSite, world: World, agent: str
) -> None:
    """Without the tick nothing happens; with it the machine is shut out, told so, and can move no more."""
    world.report(agent, usage(5.0))
    admin = site.session(Role.ADMIN)
    answer = admin.post(f"/machines/{agent}/retire", data={"reason": "hỏng"})
    assert answer.status_code == 400
    assert "ô xác nhận" in answer.text
    assert stored(world, agent).retired_ms is None
    for _ in range(2):
        form = {"reason": "hỏng nguồn", "sure": "yes"}
        assert admin.post(f"/machines/{agent}/retire", data=form).status_code == 303
        world.clock.ms += 60_000
    assert stored(world, agent).retired_ms == START_MS
    (act,) = acts(world)
    assert (act.action, act.at_ms, json.loads(act.detail)) == (
        "machine.retire",
        START_MS,
        {"reason": "hỏng nguồn"},
    )
    assert "ngừng dùng từ 20/11/2026 08:26:00" in admin.get(f"/machines/{agent}").text
    page = admin.get(f"/machines/{agent}/edit").text
    assert "/move" not in page
    assert "/retire" not in page
    moved = admin.post(f"/machines/{agent}/move", data=KHE_TRE)
    assert (moved.status_code, history(world, agent)) == (400, [])
    with world.ledger.read() as c:
        assert receipts.of(c, agent).reports == 1


def test_a_place_given_at_enrolment_says_so(site: RunningSite, world: World, agent: str) -> None:
    """Nobody's name stands where the token placed the machine."""
    with world.ledger.write() as c:
        placements.put(c, Placement(agent, ENROLLED_MS, "20161", "KT", "cbcc", BY_ENROLMENT))
    assert "<td>khi ghi danh</td>" in site.session_page(f"/machines/{agent}").text


def opened(world: World, agent: str, key: str = "k") -> str:
    """A finding of a machine; its id."""
    with world.ledger.write() as c:
        findings.open_finding(c, "clone", agent, key, START_MS, "hai máy một danh tính")
        return findings.of(c, agent)[0].id


def test_a_finding_is_closed_with_a_reason(site: RunningSite, world: World, agent: str) -> None:
    """It leaves the open ones; everybody sees who closed it, when and why."""
    finding = opened(world, agent)
    admin = site.session(Role.ADMIN)
    assert f'href="/machines/{agent}/edit#finding-{finding}"' in admin.get(f"/machines/{agent}").text
    path = f"/machines/{agent}/findings/{finding}/close"
    refused = admin.post(path, data={"reason": "   "})
    assert refused.status_code == 400
    assert "Hãy ghi lý do" in refused.text
    world.clock.ms += 60_000
    assert admin.post(path, data={"reason": "đã tách <hai> máy"}).status_code == 303
    with world.ledger.read() as c:
        found = findings.get(c, finding)
    assert found is not None
    assert (found.closed_ms, found.closed_by) == (START_MS + 60_000, "admin")
    page = site.session_page(f"/machines/{agent}").text
    assert finding not in page
    closed = page[page.index('id="closed"') :].partition("</section>")[0]
    for told in ("Nghi hai máy", "20/11/2026 08:27:00", "admin", "đã tách &lt;hai&gt; máy"):
        assert told in closed
    (act,) = acts(world)
    assert (act.action, act.subject) == ("finding.close", finding)


@pytest.mark.parametrize("who", ["closed", "other", "unknown"])
def test_a_finding_that_is_not_open_here_is_told(
    site: RunningSite, world: World, agent: str, who: str
) -> None:
    """Closed by somebody else, of another machine, or of none: nothing is written."""
    other = world.add(2, "Máy 2")
    finding = {"closed": opened(world, agent), "other": opened(world, other), "unknown": "f" * 16}[who]
    with world.ledger.write() as c:
        if who == "closed":
            findings.close(c, finding, START_MS, "lan")
    answer = site.session(Role.ADMIN).post(
        f"/machines/{agent}/findings/{finding}/close", data={"reason": "x"}
    )
    assert answer.status_code == 400
    assert "không còn mở" in answer.text
    assert acts(world) == []


@pytest.mark.parametrize("act", ["edit", "move", "retire", f"findings/{'0' * 16}/close"])
def test_an_unknown_machine_is_told(site: RunningSite, world: World, agent: str, act: str) -> None:
    """No form makes a machine."""
    form = {"label": "x", "reason": "x", "sure": "yes"}
    answer = site.session(Role.ADMIN).post(f"/machines/{agent_id(77)}/{act}", data=form)
    assert answer.status_code == 404
    assert "Không có máy này" in answer.text
    assert acts(world) == []


def test_only_an_administrator_is_offered_changes(site: RunningSite, world: World, agent: str) -> None:
    """Others see the history and the place, and no way to change them."""
    finding = opened(world, agent)
    with world.ledger.write() as c:
        placements.put(c, Placement(agent, START_MS, "20161", "KT", "cbcc", "lan"))
    for role in (Role.VIEWER, Role.INSPECTOR):
        for path in (f"/machines/{agent}", f"/machines/{agent}/now"):
            page = site.session_page(path, role).text
            assert "/edit" not in page
            assert finding not in page
            assert "UBND xã Khe Tre" in page
    assert f"/machines/{agent}/edit" in site.session_page(f"/machines/{agent}", Role.ADMIN).text
