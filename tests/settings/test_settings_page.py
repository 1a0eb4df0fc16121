"""The pages of settings: what holds where, changing it, and who has not followed."""

from __future__ import annotations

import html
import re

import pytest

from hatang_agent.wire.report import Fact
from hatang_collector.ledger import audit, config_numbers, machines, node_settings
from hatang_collector.ledger.node_settings import Setting
from hatang_collector.ledger.roles import Role
from hatang_collector.settings_keys import keys
from hatang_collector.web.i18n import texts
from hatang_collector.web.settings_view import Fleet, key_name, reached
from settings.province import found, place, put
from web.webkit import Site, World

NODE = "/settings/node"


def text_of(page: str) -> str:
    """A page without its tags, spaces made one."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def row_of(page: str, key: str) -> str:
    """The row of one key, as text."""
    row = re.search(rf'<tr id="{re.escape(key)}".*?</tr>', page, re.DOTALL)
    assert row is not None, f"no row for {key}"
    return text_of(row[0])


def settings(world: World) -> list[Setting]:
    """All that is set."""
    with world.ledger.read() as c:
        return node_settings.every(c)


def office(world: World) -> list[str]:
    """Four machines in two sites, the third one a site probe, and one that nobody placed."""
    found(world.ledger)
    agents = [world.add(n, f"Máy {n}", role="probe" if n == 3 else "pc") for n in range(1, 6)]
    for agent, where in zip(agents, ("qd1", "qd1", "qd1", "th1"), strict=False):
        place(world.ledger, agent, where)
    with world.ledger.write() as c:
        for agent in agents:
            config_numbers.next_number(c, agent, "{}")
    return agents


def told(world: World, agent: str, number: int, state: str, reason: str = "") -> None:
    """An agent's word about its configuration."""
    fields: dict[str, str | int | float | bool] = {"number": number, "state": state, "reason": reason}
    world.report(agent, (), probe="agent", facts=(Fact("config", "signed", fields),))


def test_a_node_shows_values_and_where_they_come_from(site: Site, world: World) -> None:
    """Inherited from a named place with a link there, set here, or the program's default."""
    office(world)
    put(world.ledger, "unit:46", "reporting.report_s", 60, "pc")
    put(world.ledger, "site:qd1", "schedule.sample_s", 1.5)
    page = site.session_page(f"{NODE}?scope=site:qd1", Role.ADMIN).text
    row = row_of(page, "reporting.report_s")
    assert "Khoảng cách giữa hai báo cáo" in row
    assert "60 giây theo Thành phố Huế 15 giây mặc định" in row
    assert "ít nhất 1" in row
    assert 'href="/settings/node?scope=unit%3A46#reporting.report_s"' in page
    sample = row_of(page, "schedule.sample_s")
    assert sample.count("1,5 giây đặt tại đây") == 2
    assert "admin, 20/11/2026" in sample
    assert "1,5 giây theo “Nhịp đo chung”" in row_of(page, "probes.usage.interval_s")
    assert "86400 giây (1 ngày) mặc định" in row_of(page, "probes.hardware.interval_s")


def test_a_machine_shows_one_role_and_its_whole_chain(site: Site, world: World) -> None:
    """The way up is a row of links; a site probe has the values of site probes."""
    agents = office(world)
    put(world.ledger, "unit:20014", "reporting.report_s", 20, "probe")
    page = site.session_page(f"{NODE}?scope=machine:{agents[2]}", Role.ADMIN).text
    crumbs = re.search(r'class="crumbs".*?</nav>', page, re.DOTALL)
    assert crumbs is not None
    names = "Tất cả các máy Thành phố Huế Xã Quảng Điền Trụ sở UBND xã Quảng Điền Máy 3"
    assert text_of(crumbs[0]).split("Cài đặt tác nhân ")[1].strip() == names
    row = row_of(page, "reporting.report_s")
    assert "20 giây theo Xã Quảng Điền" in row
    assert "300 giây" not in row
    assert 'select name="role"' not in page


def test_nodes_lead_down_to_machines(site: Site, world: World) -> None:
    """All to units, units to sites, sites to machines; who was placed nowhere stands under all."""
    agents = office(world)
    client = site.session(Role.ADMIN)
    top = client.get(NODE).text
    assert 'href="/settings/node?scope=unit%3A46"' in top
    assert f'href="/settings/node?scope=machine%3A{agents[4]}"' in top
    assert 'href="/settings/node?scope=site%3Aqd1"' in client.get(f"{NODE}?scope=unit:20014").text
    below = client.get(f"{NODE}?scope=site:qd1").text
    assert all(f"machine%3A{agent}" in below for agent in agents[:3])
    assert f"machine%3A{agents[3]}" not in below


def test_setting_and_clearing_is_stored_and_noted(site: Site, world: World) -> None:
    """One value at one node, with a decimal comma; the log says who, where, from what to what."""
    office(world)
    client = site.session(Role.ADMIN)
    form = {"scope": "unit:20014", "key": "reporting.report_s", "role": "pc", "value": "2,5"}
    answer = client.post("/settings/set", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/settings/node?scope=unit%3A20014#reporting.report_s"
    (one,) = settings(world)
    assert (one.scope, one.role, one.key, one.value) == ("unit:20014", "pc", "reporting.report_s", 2.5)
    assert one.changed_by == "admin"
    assert "2,5 giây · Máy tính" in row_of(
        client.get(f"{NODE}?scope=unit:20014").text, "reporting.report_s"
    ).replace("  ", " ")

    client.post("/settings/set", data=form)  # the same again is no change
    client.post("/settings/set", data={**form, "value": "3"})
    assert client.post("/settings/clear", data=form).status_code == 303
    assert client.post("/settings/clear", data=form).status_code == 303
    assert settings(world) == []
    with world.ledger.read() as c:
        acts = [one for one in audit.latest(c) if one.action.startswith("setting.")]
    assert [(one.action, one.who, one.subject, one.detail) for one in reversed(acts)] == [
        ("setting.set", "admin", "unit:20014 reporting.report_s (pc)", '{"value":[null,2.5]}'),
        ("setting.set", "admin", "unit:20014 reporting.report_s (pc)", '{"value":[2.5,3]}'),
        ("setting.clear", "admin", "unit:20014 reporting.report_s (pc)", '{"value":[3,null]}'),
    ]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("reporting.report_s", "0", "hãy nhập ít nhất 1."),
        ("reporting.report_s", "một phút", "hãy nhập một số, ví dụ 60 hoặc 0,5."),
        ("reporting.keepalive_s", "65536", "hãy nhập nhiều nhất 65535."),
        ("probes.usage.max_disks", "1,5", "hãy nhập một số nguyên."),
        ("probes.usage.enabled", "perhaps", "hãy chọn có hoặc không."),
    ],
)
def test_a_bad_value_is_shown_again_with_its_reason(
    site: Site, world: World, key: str, value: str, words: str
) -> None:
    """Nothing is stored; the form is open with what was typed."""
    office(world)
    form = {"scope": "all", "key": key, "value": value}
    answer = site.session(Role.ADMIN).post("/settings/set", data=form)
    assert answer.status_code == 400
    assert words in answer.text
    assert answer.text.count("<details open>") == 1
    assert settings(world) == []


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"scope": "unit:nowhere", "key": "reporting.report_s", "value": "60"}, 404),
        ({"scope": "machine:aaaa", "key": "reporting.report_s", "value": "60"}, 404),
        ({"scope": "all", "key": "privacy.host_name", "value": "plain"}, 400),
        ({"scope": "all", "key": "reporting.report_s", "value": "60", "role": "server"}, 422),
    ],
)
def test_only_known_keys_nodes_and_roles(site: Site, world: World, form: dict[str, str], status: int) -> None:
    """What only an agent's own file may carry cannot be set from here."""
    office(world)
    assert site.session(Role.ADMIN).post("/settings/set", data=form).status_code == status
    assert settings(world) == []


def test_a_node_that_is_not_there_says_so(site: Site) -> None:
    """The page of an unknown place is not found, in words that help."""
    answer = site.session_page(f"{NODE}?scope=unit:nowhere", Role.ADMIN)
    assert answer.status_code == 404
    assert "Không có nơi này" in answer.text


def test_the_page_says_whom_a_change_reaches(site: Site, world: World) -> None:
    """Machines with a nearer value, or one of their kind right here, are not counted."""
    agents = office(world)
    put(world.ledger, f"machine:{agents[0]}", "reporting.report_s", 30)
    put(world.ledger, "unit:20014", "reporting.report_s", 30, "probe")
    page = site.session_page(f"{NODE}?scope=unit:20014", Role.ADMIN).text
    row = row_of(page, "reporting.report_s")
    assert "Cả hai loại (1 máy)" in row
    assert "Máy tính (1 máy)" in row
    assert "Máy đo tại trụ sở (1 máy)" in row
    assert "2 máy khác bên dưới giữ giá trị đặt gần máy hơn" in row
    assert "Cả hai loại (3 máy)" in row_of(page, "schedule.sample_s")


def test_reach_counts_each_machine_below_once(site: Site, world: World) -> None:
    """Sums over roles; nearer values of the other role do not shield."""
    agents = office(world)
    put(world.ledger, "site:qd1", "reporting.report_s", 30, "probe")
    app = site.app.state.feed.estate.now()
    with world.ledger.read() as c:
        fleet = Fleet.of(app, machines.every(c), "all")
    assert reached(fleet, "all", "reporting.report_s") == (5, {"": 4, "pc": 4, "probe": 0})
    assert reached(fleet, "site:qd1", "reporting.report_s") == (3, {"": 2, "pc": 2, "probe": 1})
    assert reached(fleet, f"machine:{agents[0]}", "reporting.report_s") == (1, {"": 1, "pc": 1, "probe": 0})


def test_who_has_not_acknowledged(site: Site, world: World) -> None:
    """Sent and in force with times, refusals with their reason; who acknowledged is only counted."""
    agents = office(world)
    with world.ledger.write() as c:
        for agent in agents:
            config_numbers.next_number(c, agent, '{"reporting":{"report_s":60}}')
    told(world, agents[0], 2, "accepted")
    told(world, agents[1], 1, "accepted")
    told(world, agents[2], 2, "accepted")
    world.clock.ms += 60_000
    told(world, agents[2], 99, "refused", "its signature is not for this agent")
    told(world, agents[3], 2, "refused", "signed configuration: 'report_s' is 0; give at least 1")
    page = site.session_page("/settings", Role.ADMIN).text
    table = re.search(r"settings-answers.*?</table>", page, re.DOTALL)
    assert table is not None
    found_rows = [text_of(row) for row in re.findall(r"<tr class.*?</tr>", table[0], re.DOTALL)]
    assert [re.search(r"Máy \d", row)[0] for row in found_rows] == [  # type: ignore[index]
        "Máy 3",
        "Máy 4",
        "Máy 2",
        "Máy 5",
    ]
    assert "Nhận cấu hình lạ và đã từ chối" in found_rows[0]
    assert "Từ chối số 99 lúc 20/11/2026" in found_rows[0]
    assert "chữ ký không phải cho máy này" in found_rows[0]
    assert re.search(r" 2 2 từ 20/11/2026", found_rows[0])
    assert "'report_s' is 0; give at least 1" in found_rows[1]
    assert re.search(r"Chờ xác nhận 2 1 từ 20/11/2026", found_rows[2])
    assert "máy chưa báo" in found_rows[3]
    assert "Đã xác nhận ● 1" in text_of(page)
    alone = text_of(site.session_page(f"{NODE}?scope=machine:{agents[0]}", Role.ADMIN).text)
    assert "● Đã xác nhận 2 2 từ 20/11/2026" in alone


def test_settings_that_reach_nobody_are_shown_and_can_go(site: Site, world: World) -> None:
    """A value at a place that is gone, and a key that is gone, are named with a way to drop them."""
    office(world)
    put(world.ledger, "unit:20999", "reporting.report_s", 60)
    put(world.ledger, "all", "reporting.of_yesterday", 5)
    client = site.session(Role.ADMIN)
    assert "unit:20999" in client.get("/settings").text
    assert "reporting.of_yesterday" in client.get(NODE).text
    for scope, key in (("unit:20999", "reporting.report_s"), ("all", "reporting.of_yesterday")):
        assert client.post("/settings/clear", data={"scope": scope, "key": key}).status_code == 303
    assert settings(world) == []
    assert "unit:20999" not in client.get("/settings").text


def test_the_machine_page_speaks_of_the_configuration_in_words(site: Site, world: World) -> None:
    """Accepted and refused are words of the reader's language."""
    agents = office(world)
    told(world, agents[0], 1, "accepted")
    told(world, agents[1], 1, "refused", "not newer than number 4, which is in force")
    client = site.session(Role.VIEWER)
    assert "đã áp dụng" in client.get(f"/machines/{agents[0]}").text
    refused = client.get(f"/machines/{agents[1]}").text
    assert "đã từ chối" in refused
    assert "số không mới hơn số đang áp dụng" in refused
    client.cookies.set("hatang_lang", "en")
    assert "its number is not newer than the one in force" in client.get(f"/machines/{agents[1]}").text


def test_every_key_has_a_vietnamese_name() -> None:
    """Today's keys are all named; one that is not would show the agent's explanation."""
    t = texts("vi")
    assert [key.name for key in keys().values() if key_name(key, t) == key.help] == []


def test_without_machines_and_units_the_pages_stand(site: Site) -> None:
    """A new installation has the top node alone."""
    client = site.session(Role.ADMIN)
    assert "Chưa có máy nào được ghi danh." in client.get("/settings").text
    assert "Tất cả các máy" in client.get(NODE).text
