"""A new user adds an office with nothing but the pages: Chromium, an empty installation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hatang_collector.domain.estate import Placement
from hatang_collector.ledger import machines, placements, tokens, users
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.users import Role
from hatang_collector.web.security import SESSION_COOKIE
from web.webkit import Site, World, agent_id, usage

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One headless browser for the module."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(chromium), args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def said() -> list[str]:
    """What the page said in its console; at the end there must be no error among it."""
    return []


@pytest.fixture
def page(browser: Browser, site: Site, said: list[str]) -> Iterator[Page]:
    """An administrator's page."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    with site.world.ledger.write() as c:
        text = users.open_session(c, str(Role.ADMIN), site.world.clock())
    context.add_cookies([{"name": SESSION_COOKIE, "value": text, "url": site.url}])
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(f"error: {error}"))
    yield opened
    context.close()
    assert [one for one in said if "400 (Bad Request)" not in one] == []


def enrol(world: World, token: str, number: int, label: str, group: str = "") -> str:
    """What a machine's line does in the ledger."""
    with world.ledger.write() as c:
        claimed = tokens.claim(c, token, world.clock())
        assert isinstance(claimed, tokens.EnrolToken)
        made = Machine(agent_id(number), label, "", claimed.role, world.clock())
        machines.add(c, made)
        place = Placement(made.agent, world.clock(), claimed.unit, claimed.site, group, "enrolment")
        placements.put(c, place)
    return made.agent


def test_from_nothing_to_every_machine_reporting(page: Page, site: Site, world: World) -> None:
    """Form, a fault corrected in place, tokens copied, machines seen to arrive without a reload."""
    page.goto(f"{site.url}/offices/new")
    expect(page.get_by_label("Đơn vị đã có trong danh sách")).to_have_count(0)
    page.locator("[name=unit_name]").fill("UBND xã Khe Tre")
    expect(page.locator("[name=site_name]")).to_have_value("UBND xã Khe Tre")
    page.get_by_label("Loại đường").first.select_option("ftth")
    page.get_by_label("Nhà cung cấp").first.fill("Viettel")
    page.get_by_label("Tải xuống").first.fill("150 Mb")
    page.get_by_label("Cán bộ, công chức").fill("1")
    page.get_by_label("Dùng chung").fill("1")
    page.get_by_role("button", name="Thêm trụ sở và tạo mã ghi danh").click()
    expect(page.locator("#fault-link1_down")).to_contain_text("Ghi một số lớn hơn 0")
    expect(page.locator("[name=link1_down]")).to_be_focused()
    expect(page.get_by_label("Cán bộ, công chức")).to_have_value("1")
    page.locator("[name=link1_down]").fill("150")
    page.get_by_role("button", name="Thêm trụ sở và tạo mã ghi danh").click()
    expect(page.get_by_role("heading", name="Đã thêm: UBND xã Khe Tre")).to_be_visible()
    line = page.locator("#line-pc-chung-windows").inner_text()
    page.get_by_role("button", name="Chép: Windows").last.click()
    expect(page.get_by_role("button", name="Chép: Windows").last).to_have_text("✓ Đã chép")
    assert page.evaluate("navigator.clipboard.readText()") == line
    assert re.fullmatch(r"msiexec /i \S+ /qn URL=\S+ PIN=[0-9a-f]{32} TOKEN=\S+ STAFFGROUP=chung", line)
    probe, pcs = (one.inner_text() for one in page.locator("code.secret").all())
    arrivals = page.locator("#arrivals")
    expect(arrivals).to_contain_text("còn thiếu 2")
    first = enrol(world, probe, 1, "Trạm đo")
    expect(arrivals).to_contain_text("Trạm đo: đã ghi danh, chưa có báo cáo")
    world.report(first, usage(1.0))
    expect(arrivals).to_contain_text("Trạm đo: đã có báo cáo")
    for number, label, group in ((2, "Kế toán 1", "cbcc"), (3, "Một cửa", "chung")):
        world.report(enrol(world, pcs, number, label, group), usage(2.0))
    expect(arrivals).to_contain_text("Mọi máy được mời đã tới và đã gửi báo cáo.")
    expect(arrivals.locator("tbody tr")).to_have_count(3)
    page.get_by_role("link", name="Trang của trụ sở này").click()
    expect(page.locator("h1")).to_have_text("UBND xã Khe Tre")
    expect(page.locator("#links")).to_contain_text("150/? Mbit/s")


def test_everything_works_by_keyboard_and_has_a_name(page: Page, site: Site, world: World) -> None:
    """Named controls, the form sent with Enter, no page wider than a telephone."""
    page.goto(f"{site.url}/offices/new")
    page.locator("[name=unit_name]").fill("Phòng Văn hóa")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Đã thêm: Phòng Văn hóa")).to_be_visible()
    nameless = """() => Array.from(document.querySelectorAll('a,button,input:not([type=hidden]),select'))
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)))
        .map(e => e.outerHTML)"""
    page.set_viewport_size({"width": 400, "height": 800})
    for path in ("/offices/new", "/sites/phong-van-hoa"):
        page.goto(f"{site.url}{path}")
        assert page.evaluate(nameless) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert page.locator("h1").count() == 1


def test_a_known_unit_is_chosen_by_typing(page: Page, site: Site, world: World) -> None:
    """The name of the site follows the unit until somebody writes one."""
    page.goto(f"{site.url}/offices/new")
    page.locator("[name=unit_name]").fill("UBND xã Khe Tre")
    page.get_by_role("button", name="Thêm trụ sở và tạo mã ghi danh").click()
    page.goto(f"{site.url}/offices/new")
    expect(page.locator("[name=unit_name]")).to_be_hidden()
    unit = page.locator("[name=unit]")
    unit.fill("UBND xã Khe Tre (ubnd-xa-khe-tre)")
    expect(page.locator("[name=site_name]")).to_have_value("UBND xã Khe Tre")
    page.locator("[name=site_name]").fill("Trạm y tế")
    unit.fill("khe tre")
    expect(page.locator("[name=site_name]")).to_have_value("Trạm y tế")
    page.get_by_role("button", name="Thêm trụ sở và tạo mã ghi danh").click()
    expect(page.get_by_role("heading", name="Đã thêm: Trạm y tế")).to_be_visible()


def test_without_scripts_the_pages_still_work(browser: Browser, site: Site, world: World) -> None:
    """The form, the tokens and the way to a page that can be reloaded."""
    context = browser.new_context(java_script_enabled=False)
    with world.ledger.write() as c:
        text = users.open_session(c, str(Role.ADMIN), world.clock())
    context.add_cookies([{"name": SESSION_COOKIE, "value": text, "url": site.url}])
    page = context.new_page()
    page.goto(f"{site.url}/offices/new")
    page.locator("[name=unit_name]").fill("UBND xã Khe Tre")
    page.locator("form.office button.main").click()
    assert page.locator("code.secret").count() == 1
    assert page.locator("button.copy").first.is_hidden()
    page.locator("#arrivals ~ p a").click()
    assert page.locator("h1").inner_text() == "UBND xã Khe Tre"
    assert "Trạm đo: chờ" in page.locator("#arrivals").inner_text()
    context.close()
