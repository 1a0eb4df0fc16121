"""Networks and protection in a real browser: the board and the page of a site follow without a reload."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from hatang_collector.web.sites import site_key
from web import webkit
from web.protected import ESTATE, add, reach, tell
from web.test_web_browser import FLAGS, HOSTILE, Watched, log_in
from web.test_web_sites import declare
from web.webkit import World


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One headless browser for the module."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(chromium), args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh page; at the end it must have been silent and have stayed on this machine."""
    context = browser.new_context(viewport={"width": 400, "height": 900})
    found = Watched(context.new_page())
    found.page.set_default_timeout(15_000)
    yield found
    context.close()
    assert found.said == []
    assert found.hosts <= {"127.0.0.1"}


def test_a_moved_cable_shows_by_itself(watched: Watched, site: webkit.Site, world: World) -> None:
    """The card, the tile and the list of the site follow a report; a narrow screen holds them."""
    declare(world, ESTATE)
    agents = [add(world, number) for number in (1, 2, 3)]
    for agent in agents:
        tell(world, agent, cpnet="yes", antivirus="protected", firewall="on")
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/")
    card = page.locator(f"#m-{site_key('S1')}")
    cells = card.locator(".facts dd")
    expect(cells).to_have_text(["3 chưa khai báo", "3/3", "3/3", "3/3"])
    expect(card.locator(".cov")).to_contain_text("số liệu 100,0%")
    expect(page.locator(f"#m-{site_key('S2')} .facts dd").nth(1)).to_have_text("chưa cấu hình")
    loads = watched.loads
    tell(world, agents[0], cpnet="no", antivirus="off", firewall="unreadable")
    expect(cells).to_have_text(["3 chưa khai báo", "2/3", "2/3", "2/3"])
    expect(card.locator(".cov")).to_contain_text("số liệu 88,9%")
    expect(page.locator(".tile b").nth(5)).to_have_text("2/3")
    assert watched.loads == loads
    assert page.evaluate("document.documentElement.scrollWidth") <= 400

    page.goto(f"{site.url}/sites/S1")
    row = page.locator("table.answers tbody tr").filter(has_text="Máy 2")
    expect(row.locator("td").first).to_contain_text("có")
    loads = watched.loads
    tell(world, agents[1], cpnet="no", internet="yes")
    expect(row.locator("td").first).to_contain_text("không", timeout=15_000)
    expect(page.locator("table.figures tbody tr").nth(1).locator("td").first).to_have_text("1/3 (33,3%)")
    assert watched.loads == loads
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    nameless = """() => Array.from(document.querySelectorAll('#protection a,#protection [tabindex]'))
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim())).map(e => e.outerHTML)"""
    assert page.evaluate(nameless) == []


def test_hostile_words_of_agents_are_only_text(watched: Watched, site: webkit.Site, world: World) -> None:
    """Names of networks and paths come from machines that may be anybody's."""
    declare(world, ESTATE)
    agent = add(world, 1)
    facts = [reach(name, "no", f"{number} {name}", name) for number, name in enumerate(HOSTILE) if name]
    facts += [reach("cpnet", "yes", HOSTILE[0]), reach("internet", "yes", HOSTILE[-1])]
    world.report(agent, (), probe="networks", facts=tuple(facts))
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/")
    expect(page.locator(f"#m-{site_key('S1')} .facts dd").nth(1)).to_have_text("1/1")
    for path in ("/sites/S1", "/units/46", f"/machines/{agent}"):
        page.goto(f"{site.url}{path}")
        assert "taken" not in page.title()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, path
