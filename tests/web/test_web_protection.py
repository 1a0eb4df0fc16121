"""What machines answer, on the board, on the pages of sites and units, and in the API."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest

from hatang_agent.wire.report import Fact, RunError
from hatang_collector.domain.estate import Asset, AssetKind, Placement
from hatang_collector.domain.localtime import day_of
from hatang_collector.domain.protection import RULES, Topic
from hatang_collector.ledger import placements
from hatang_collector.ledger.users import Role
from hatang_collector.web import told
from hatang_collector.web.answers import AnswerBook
from hatang_collector.web.i18n import LANGUAGES, texts
from support.wait import until
from web import webkit
from web.protected import ESTATE, add, reach, tell
from web.test_web_sites import DAY_MS, counted, declare, place, settle, sites
from web.webkit import START_MS, World, usage

UNITS = "/api/v1/units/{}/figures"


def asked(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of a site or a unit by question, ``reach cpnet``."""
    return {f"{one['question']} {one['network']}".strip(): one for one in found["asked"]}


def at(api: httpx.Client, question: str, kind: str = "now", site: str = "S1") -> tuple[Any, ...]:
    """a, b and state of a figure of a site; nothing while there is none."""
    figure = asked(sites(api)[site]).get(question, {}).get(kind)
    return counted(figure) if figure else ()


def known(api: httpx.Client, question: str, kind: str = "now", site: str = "S1") -> tuple[int, int]:
    """The coverage of a figure of a site: when it is as expected, the board has read every report."""
    found = asked(sites(api)[site])[question][kind]["coverage"]
    return found["a"], found["b"]


def card(text: str, name: str) -> str:
    """The markup of the card of a unit, its white space folded."""
    found = next(one for one in text.split("<article") if f"<bdi>{name}</bdi>" in one)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found))


def test_ten_of_thirteen(site: webkit.Site, world: World) -> None:
    """The seed case: on the board, in the tile, in the API of sites and of units; and it follows a cable."""
    declare(world, ESTATE)
    agents = [add(world, number) for number in range(1, 14)]
    for number, agent in enumerate(agents):
        tell(world, agent, cpnet="yes" if number < 10 else "no", internet="no")
    api, page = settle(site, world, 2), site.session(Role.VIEWER)
    until(lambda: known(api, "reach internet") == (13, 13))
    assert asked(sites(api)["S1"])["reach cpnet"]["now"]["coverage"] == {"a": 13, "b": 13, "percent": 100.0}
    assert at(api, "reach cpnet") == (10, 13, "co")
    assert at(api, "reach cpnet", "window") == (10, 13, "co")
    assert at(api, "reach cpnet", "official") == (10, None, "chua_khai_bao")
    for unit in ("1", "46"):
        found = api.get(UNITS.format(unit)).json()["machines"]
        assert counted(asked(found)["reach cpnet"]["now"]) == (10, 13, "co")
    text = page.get("/").text
    assert "Tới được CPNet 10 /13" in card(text, "UBND xã Một")
    tile = next(one for one in text.split('<div class="tile"') if "máy tới được CPNet" in one)
    assert "<b>10/13</b>" in tile
    assert "(76,9%)" in tile
    tell(world, agents[0], cpnet="no", internet="no")
    until(lambda: at(api, "reach cpnet") == (9, 13, "co"))
    tell(world, agents[12], cpnet="yes")
    tell(world, agents[11], cpnet="yes")
    until(lambda: at(api, "reach cpnet") == (11, 13, "co"))


def test_a_site_without_a_target_is_not_zero(site: webkit.Site, world: World) -> None:
    """It says that CPNet is not configured; the other questions are asked everywhere."""
    declare(world, ESTATE)
    agent = add(world, 1, "S2")
    tell(world, agent, antivirus="protected", firewall="off")
    api, page = settle(site, world, 2), site.session(Role.VIEWER)
    until(lambda: known(api, "firewall", site="S2") == (1, 1))
    found = asked(sites(api)["S2"])
    assert list(found) == ["reach cpnet", "antivirus", "firewall"]
    assert found["reach cpnet"]["configured"] is False
    assert found["reach cpnet"]["now"] is found["reach cpnet"]["official"] is None
    assert at(api, "antivirus", site="S2") == (1, 1, "co")
    assert at(api, "firewall", site="S2") == (0, 1, "khong")
    shown = card(page.get("/").text, "UBND xã Hai")
    assert "Tới được CPNet chưa cấu hình" in shown
    assert "Diệt virus 1 /1 Tường lửa máy 0 /1" in shown
    assert "Chưa cấu hình đích đo CPNet" in page.get("/sites/S2").text
    assert at(api, "reach cpnet") == (None, 0, "khong_do_duoc"), "configured, and no machine there yet"


def test_a_target_or_an_answer_makes_it_configured(site: webkit.Site, world: World) -> None:
    """A machine placed in a unit with targets brings them along; one that tells of a network is believed."""
    declare(world, ESTATE)
    api = settle(site, world, 2)
    guest = world.add(1)
    place(world, guest, "S2", unit="1")
    settle(site, world, 2)
    until(lambda: at(api, "reach cpnet", site="S2") == (0, 1, "khong"))
    own = add(world, 2, "S2")
    settle(site, world, 2)
    world.report(own, (), probe="networks", facts=(reach("vpn", "yes"),))
    until(lambda: at(api, "reach vpn", site="S2") == (1, 2, "co"))
    assert list(asked(sites(api)["S2"])) == [
        "reach cpnet",
        "reach internet",
        "reach vpn",
        "antivirus",
        "firewall",
    ]
    detail = {one["agent"]: one for one in api.get("/api/v1/sites/S2").json()["machines"]}
    assert [one["state"] for one in detail[own]["answers"][:3]] == ["not_configured", "not_configured", "yes"]
    assert [one["state"] for one in detail[guest]["answers"][:3]] == [
        "not_told",
        "not_told",
        "not_configured",
    ]


def test_unknown_is_neither_and_the_list_says_why(site: webkit.Site, world: World) -> None:
    """Not read and not tested lower the coverage; every no and unknown has the agent's reason."""
    declare(world, ESTATE)
    good, bad, mute, silent = (add(world, number) for number in range(1, 5))
    tell(world, good, cpnet="yes", antivirus="protected", firewall="on")
    tell(world, bad, cpnet="not_tested", antivirus="unreadable", firewall="partial", why="off: public")
    world.report(mute, usage(1.0))
    tell(world, silent, cpnet="yes", antivirus="protected", firewall="on", at_ms=START_MS - 3_600_000)
    world.clock.ms += 60_000  # days seen are read again once a minute
    api = settle(site, world, 2)
    until(lambda: known(api, "firewall", "window") == (3, 4))
    assert at(api, "firewall") == (1, 4, "co")
    found = asked(sites(api)["S1"])
    for question, now, window in (("reach cpnet", 1, 2), ("antivirus", 1, 2), ("firewall", 2, 3)):
        assert found[question]["now"]["coverage"]["a"] == now, question
        assert found[question]["window"]["coverage"]["a"] == window, question
        assert found[question]["window"]["a"] == 2, question
        assert {found[question][kind]["out_of"] for kind in ("now", "window")} == {"agents"}
        assert found[question]["official"]["out_of"] == "declared"
    machines = {one["agent"]: one for one in api.get("/api/v1/sites/S1").json()["machines"]}
    answers = {one["question"] + one["network"]: one for one in machines[bad]["answers"]}
    assert (answers["firewall"]["answer"], answers["firewall"]["why"]) == (False, "off: public")
    assert (answers["antivirus"]["answer"], answers["antivirus"]["state"]) == (None, "unreadable")
    assert (answers["reachcpnet"]["answer"], answers["reachcpnet"]["state"]) == (None, "not_tested")
    assert {one["state"] for one in machines[mute]["answers"]} == {"not_told"}
    assert (machines[silent]["fresh"], machines[silent]["name"]) == (False, "Máy 4")
    text = site.session(Role.VIEWER).get("/sites/S1").text.partition('id="protection"')[2]
    for words in ("bật một phần", "tắt ở mạng công cộng", "không đọc được", "hiện không gửi số liệu"):
        assert words in text, words
    assert text.index("Máy 3</bdi></a></th><td") < text.index("Máy 1</bdi></a></th><td"), "worst first"


def test_a_machine_in_both_networks_is_told_and_not_judged(site: webkit.Site, world: World) -> None:
    """Named with the paths it uses; a machine in one of them is not."""
    declare(world, ESTATE)
    both, one = add(world, 1), add(world, 2)
    facts = (reach("cpnet", "yes"), reach("cpnet", "no", "wlan0"), reach("internet", "yes", "wlan0"))
    world.report(both, (), probe="networks", facts=facts)
    tell(world, one, cpnet="yes", internet="no")
    api = settle(site, world, 2)
    until(lambda: known(api, "reach internet") == (2, 2))
    machines = {one["agent"]: one for one in api.get("/api/v1/sites/S1").json()["machines"]}
    assert machines[both]["networks_at_once"] == ["cpnet", "internet"]
    assert machines[one]["networks_at_once"] == []
    paths = machines[both]["answers"][0]["paths"]
    assert [(path["source"], path["state"], path["rtt_ms"]) for path in paths] == [
        ("eth0", "yes", 2.5),
        ("wlan0", "no", None),
    ]
    text = site.session(Role.VIEWER).get("/sites/S1").text
    assert "1 máy nối cả hai mạng" in text
    assert "không phải kết luận vi phạm" in text
    assert f'<li><a href="/machines/{both}">' in text
    assert f'<li><a href="/machines/{one}">' not in text


def test_a_probe_that_fails_for_long_no_longer_answers_for_now(site: webkit.Site, world: World) -> None:
    """Its last answer stays the latest known one; the first good run brings the answer back."""
    declare(world, ESTATE)
    agent = add(world, 1)
    tell(world, agent, cpnet="yes")
    api = settle(site, world, 2)
    until(lambda: at(api, "reach cpnet") == (1, 1, "co"))
    error = RunError("the socket could not be opened", "give the right")
    world.report(agent, (), probe="networks", error=error)
    world.clock.ms += RULES[Topic.REACH].stands_ms
    world.report(agent, (), probe="networks", error=error)
    until(lambda: at(api, "reach cpnet") == (None, 1, "khong_do_duoc"))
    assert at(api, "reach cpnet", "window") == (1, 1, "co")
    page = site.session(Role.VIEWER)
    assert "phép đo không chạy được" in page.get("/sites/S1").text
    tell(world, agent, cpnet="yes")
    until(lambda: at(api, "reach cpnet") == (1, 1, "co"))


def test_one_computer_with_two_agents_counts_once(site: webkit.Site, world: World) -> None:
    """Its agents answer together: what one of them knows is known."""
    assets = (Asset("A1", AssetKind.DESKTOP, "1", "S1"), Asset("A2", AssetKind.DESKTOP, "1", "S1"))
    declare(world, replace(ESTATE, assets=assets))
    first = add(world, 1)
    second = world.add(2, asset_code="A1")
    place(world, second, "S1")
    tell(world, first, firewall="on")
    world.report(second, usage(1.0))
    api = settle(site, world, 2)
    until(lambda: at(api, "firewall") == (1, 1, "co"))
    assert at(api, "firewall", "official") == (1, 2, "co")


def test_a_site_probe_stands_in_no_figure(site: webkit.Site, world: World) -> None:
    """It is listed by the API as not counted, and not among the machines of the page."""
    declare(world, ESTATE)
    probe = world.add(1, "Trạm đo", role="probe")
    place(world, probe, "S1")
    tell(world, probe, firewall="on")
    api = settle(site, world, 2)
    until(lambda: sites(api)["S1"]["state"] == "data")
    until(lambda: api.get("/api/v1/sites/S1").json()["machines"][0]["answers"][-1]["state"] == "on")
    assert at(api, "firewall") == (None, 0, "khong_do_duoc")
    (found,) = api.get("/api/v1/sites/S1").json()["machines"]
    assert (found["counts"], found["answers"][-1]["state"]) == (False, "on")
    assert "Chưa có máy nào có tác nhân ở đây" in site.session(Role.VIEWER).get("/sites/S1").text


def test_units_and_staff_groups(site: webkit.Site, world: World) -> None:
    """The same questions for a unit, for all above it, and for each staff group; on the page too."""
    assets = tuple(Asset(f"A{n}", AssetKind.DESKTOP, "1", "S1", "cbcc") for n in range(1, 5))
    declare(world, replace(ESTATE, assets=assets))
    tell(world, add(world, 1, staff_group="cbcc"), cpnet="yes", antivirus="protected", firewall="on")
    tell(world, add(world, 2, staff_group="cbcc"), cpnet="no", antivirus="absent", firewall="on")
    tell(world, add(world, 3, staff_group="chung"), cpnet="yes", antivirus="unreadable")
    api = site.api()
    found = api.get(UNITS.format("46")).json()
    everyone = asked(found["machines"])
    assert counted(everyone["reach cpnet"]["window"]) == (2, 3, "co")
    assert counted(everyone["reach cpnet"]["official"]) == (2, 4, "co")
    assert (everyone["antivirus"]["window"]["a"], everyone["antivirus"]["window"]["coverage"]["a"]) == (1, 2)
    groups = {one["staff_group"]: asked(one["machines"]) for one in found["groups"]}
    assert counted(groups["cbcc"]["firewall"]["official"]) == (2, 4, "co")
    assert counted(groups["chung"]["antivirus"]["now"]) == (None, 1, "khong_do_duoc")
    assert counted(groups["vien_chuc"]["reach cpnet"]["now"]) == (None, 0, "khong_do_duoc")
    other = asked(api.get(UNITS.format("2")).json()["machines"])
    assert other["reach cpnet"]["configured"] is False
    page = site.session(Role.VIEWER)
    text = re.sub(r"<[^>]+>", " ", page.get("/units/46").text)
    assert "Máy của đơn vị: kết nối và bảo vệ" in text
    assert "– Dùng chung (một cửa, hội trường)" in text
    assert "chưa cấu hình" in re.sub(r"<[^>]+>", " ", page.get("/units/2").text)


def test_figures_of_a_former_day_use_the_facts_of_that_day(site: webkit.Site, world: World) -> None:
    """What was told later is not known yet; what its probe last confirmed long before is not used."""
    declare(world, ESTATE)
    agent = add(world, 1)
    with world.ledger.write() as c:
        placements.put(c, Placement(agent, START_MS - 90 * DAY_MS, site="S1"))
        c.exec_driver_sql("UPDATE machines SET enrolled_ms = 1")
    for days, state in ((60, "off"), (20, "on"), (3, "off")):
        tell(world, agent, firewall=state, at_ms=START_MS - days * DAY_MS)
    api = site.api()

    def window(days: int) -> tuple[Any, ...]:
        on = before(days)
        found = asked(api.get(UNITS.format("1"), params={"on": on}).json()["machines"])["firewall"]
        assert (found["now"] is None) == (days > 0)
        return found["window"]["a"], found["window"]["coverage"]["a"]

    assert window(0) == (0, 1)
    assert window(3) == (0, 1)
    assert window(4) == (1, 1)
    assert window(20) == (1, 1)
    assert window(21) == (0, 0), "last seen 39 days before that day: the window has thirty"
    assert window(59) == (0, 1)
    assert window(61) == (0, 0)


def before(days: int) -> str:
    """The day so long before the present of these tests."""
    return day_of(START_MS - days * DAY_MS).isoformat()


def test_the_book_reads_again_only_who_reported(world: World) -> None:
    """Machines that answer alike share one object; a replay that empties the tables is followed."""
    agents = [world.add(number) for number in (1, 2, 3)]
    for agent in agents:
        tell(world, agent, cpnet="yes", firewall="on")
    book = AnswerBook(world.ledger)
    first = book.look()
    assert first[agents[0]] is first[agents[1]] is first[agents[2]]
    assert book.look() is first
    tell(world, agents[1], firewall="off")
    second = book.look()
    assert second[agents[0]] is first[agents[0]]
    assert {str(one.topic): answer.value for one, answer in second[agents[1]].items()} == {
        "reach": True,
        "antivirus": None,
        "firewall": False,
    }
    world.projection.reset()
    assert book.look() == {}


def test_every_word_has_a_text_and_reasons_are_translated() -> None:
    """States of the tables that figures rest on; reasons part by part, others as they were said."""
    for language in LANGUAGES:
        keys = texts(language).entries
        for topic, rule in RULES.items():
            assert {told.STATES[topic] + word for word in rule.states} - keys.keys() == set()
    vi = texts("vi")
    assert told.why("off: public; unreadable: domain, private", vi) == (
        "tắt ở mạng công cộng; không đọc được ở mạng miền, mạng riêng"
    )
    assert told.why("signatures are 31 days old, more than 7", vi) == "mẫu nhận diện đã 31 ngày, quá 7 ngày"
    assert told.why("something new; IPv6 is not filtered", vi) == "something new; IPv6 không được lọc"
    assert told.why("", vi) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_facts_of_a_machine_in_words(site: webkit.Site, world: World, language: str) -> None:
    """The page of a machine shows states in words of the language."""
    agent = world.add(1)
    facts = (
        Fact("firewall", "", {"state": "partial", "public": "off", "why": "off: public", "product": "X"}),
    )
    world.report(agent, (), probe="firewall", facts=facts)
    both = Fact("dual_homed", "", {"networks": "cpnet,internet", "paths": "eth0,wlan0"})
    world.report(agent, (), probe="networks", facts=(reach("cpnet", "yes"), both))
    client = site.session(Role.VIEWER)
    client.cookies.set("hatang_lang", language)
    text = client.get(f"/machines/{agent}").text
    wanted = {
        "vi": ("bật một phần", "tắt ở mạng công cộng", "CPNet, Internet"),
        "en": ("partly on", "off in public networks", "CPNet, Internet"),
    }
    assert [words for words in wanted[language] if words not in text] == []
