"""The board of sites in a real browser: live without a reload, hostile names, names for every control."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    Estate,
    Link,
    LinkKind,
    Placement,
    Site,
    SiteUnit,
    Unit,
)
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger import placements
from hatang_collector.ledger.users import Role
from hatang_collector.web.sites import UNPLACED, site_key
from web import webkit
from web.test_web_browser import FLAGS, HOSTILE, Watched, log_in
from web.webkit import World, usage

ESTATE = Estate(
    units=(
        Unit("46", "Tỉnh"),
        Unit("1", "UBND xã Một", "xã", "46", 1),
        Unit("2", "UBND xã Hai", "xã", "46", 2),
    ),
    sites=(Site("S1", "Trụ sở Một"), Site("S2", "Trụ sở Hai")),
    site_units=(SiteUnit("S1", "1"), SiteUnit("S2", "2")),
    links=(Link("L1", "S1", LinkKind.CPNET, "VNPT", 100, 100),),
    assets=(Asset("A1", AssetKind.DESKTOP, "1", "S1"), Asset("A2", AssetKind.DESKTOP, "1", "S1")),
)


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
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = Watched(context.new_page())
    found.page.set_default_timeout(15_000)
    yield found
    context.close()
    assert found.said == []
    assert found.hosts <= {"127.0.0.1"}


def declare(world: World, wanted: Estate) -> None:
    """Put an estate in the ledger."""

    def change(estate: Estate) -> Estate:
        return replace(wanted, staff_groups=estate.staff_groups)

    estates.edit(world.ledger, change, who="test", role="admin", now_ms=world.clock())


def test_an_office_fills_by_itself(watched: Watched, site: webkit.Site, world: World) -> None:
    """From an empty page to a site with data, its machines placed and seen, without a reload."""
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/")
    expect(page.get_by_role("heading", name="Chưa có trụ sở nào")).to_be_visible()
    loads = watched.loads
    agent = world.add(1, asset_code="A1")
    world.report(agent, usage(1.0))
    lost = page.locator(f"#m-{UNPLACED}")
    expect(lost.get_by_role("link", name="Máy chưa gán trụ sở")).to_be_visible()
    declare(world, ESTATE)
    card = page.locator(f"#m-{site_key('S1')}")
    expect(card.locator(".state")).to_have_text("Chưa có máy")
    expect(card.locator(".chip")).to_have_text("CPNet VNPT 100/100 chưa theo dõi")
    with world.ledger.write() as c:
        placements.put(c, Placement(agent, world.clock(), site="S1"))
    expect(card.locator(".state")).to_have_text("Có số liệu")
    expect(card.locator(".facts dd").first).to_have_text("1/2")
    expect(card.locator(".cov")).to_contain_text("số liệu 25,0%")
    expect(lost).to_have_count(0)
    expect(page.locator("#cards > article h2")).to_have_text(["UBND xã Hai", "UBND xã Một"])
    expect(page.locator(".tile.site-data b")).to_have_text("1")
    world.clock.ms += 390_001
    expect(card.locator(".state")).to_have_text("Không có số liệu")
    expect(page.locator("#cards > article h2")).to_have_text(["UBND xã Một", "UBND xã Hai"])
    assert watched.loads == loads


def test_a_filtered_page_follows_its_own_sites_only(
    watched: Watched, site: webkit.Site, world: World
) -> None:
    """What the filter left out does not appear, what it shows goes on changing, tiles count all."""
    declare(world, ESTATE)
    agents = [world.add(number) for number in (1, 2)]
    for number, agent in enumerate(agents, start=1):
        with world.ledger.write() as c:
            placements.put(c, Placement(agent, world.clock(), site=f"S{number}"))
    log_in(watched, site)
    page = watched.page
    page.goto(f"{site.url}/?unit=1")
    cards = page.locator("#cards > article")
    expect(page.locator(".tile.site-no_machine b")).to_have_text("2")
    page.reload()
    expect(cards).to_have_count(1)
    for agent in agents:
        world.report(agent, usage(1.0))
    expect(page.locator(".tile.site-data b")).to_have_text("2")
    expect(cards.locator(".state")).to_have_text("Có số liệu")
    expect(cards).to_have_count(1)


def test_hostile_names_are_only_text(watched: Watched, site: webkit.Site, world: World) -> None:
    """Names from an imported file never run, never widen the page, and lead to the right place."""
    declare(
        world,
        Estate(
            units=tuple(Unit(f"{n}/é?#&", name) for n, name in enumerate(HOSTILE)),
            sites=tuple(Site(f"{n}/é?#&<b>", name, address=name) for n, name in enumerate(HOSTILE)),
            site_units=tuple(SiteUnit(f"{n}/é?#&<b>", f"{n}/é?#&") for n in range(len(HOSTILE))),
            links=tuple(
                Link(f"L{n}", f"{n}/é?#&<b>", LinkKind.FTTH, name, 1, 1) for n, name in enumerate(HOSTILE)
            ),
        ),
    )
    log_in(watched, site, Role.ADMIN)
    page = watched.page
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(f"{site.url}/")
    for number, name in enumerate(HOSTILE):
        card = page.locator(f"#m-{site_key(f'{number}/é?#&<b>')}")
        expect(card).to_be_visible()
        assert card.locator("h2 bdi").inner_text().strip() == name.strip()
        assert card.locator("h2 a").get_attribute("href") == f"/sites/{number}%2F%C3%A9%3F%23%26%3Cb%3E"
    assert "taken" not in page.title()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_every_control_has_a_name(watched: Watched, site: webkit.Site, world: World) -> None:
    """What a screen reader meets: named controls and pictures, one first heading."""
    declare(world, ESTATE)
    world.report(world.add(1), usage(1.0))
    log_in(watched, site, Role.ADMIN)
    page = watched.page
    page.goto(f"{site.url}/")
    expect(page.locator("#cards > article")).to_have_count(3)
    page.reload()
    nameless = """() => Array.from(document.querySelectorAll('a,button,input:not([type=hidden]),select,svg'))
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)))
        .map(e => e.outerHTML)"""
    assert page.evaluate(nameless) == []
    assert page.locator("h1").count() == 1
    expect(page.get_by_label("Đơn vị (cùng các đơn vị trực thuộc)").locator("option")).to_have_count(2)
    page.get_by_role("link", name="Máy chưa gán trụ sở").click()
    expect(page.locator("#cards > article")).to_have_count(1)
