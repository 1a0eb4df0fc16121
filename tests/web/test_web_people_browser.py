"""The administrator's pages in a real browser: by keyboard, without scripts, narrow and in the dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hatang_collector.ledger import findings, users
from hatang_collector.ledger.users import Role
from hatang_collector.web.security import SESSION_COOKIE
from web.webkit import Site, World

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
LONG = "tên rất dài " * 12


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One headless browser for the module."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, site: Site, world: World) -> Iterator[Page]:
    """An administrator's page without scripts; at the end the browser must have had no complaint."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    with world.ledger.write() as c:
        text = users.open_session(c, str(Role.ADMIN), world.clock())
    context.add_cookies([{"name": SESSION_COOKIE, "value": text, "url": site.url}])
    found = context.new_page()
    found.set_default_timeout(15_000)
    said: list[str] = []
    found.on("console", lambda message: said.append(message.text))
    yield found
    context.close()
    assert [line for line in said if "status of 4" not in line] == []


def test_a_user_comes_and_goes_by_keyboard(page: Page, site: Site, world: World) -> None:
    """Adding shows the password once; removing asks first; all of it with Tab, Enter and letters."""
    page.goto(f"{site.url}/users")
    page.locator("main input[name=name]").focus()
    page.keyboard.type("lan")
    page.keyboard.press("Enter")
    expect(page.locator("#new-password")).to_be_visible()
    row = page.locator("#user-lan")
    expect(row).to_contain_text("phải đổi mật khẩu")
    remove = row.get_by_role("button", name="Xoá lan")
    expect(remove).to_be_hidden()
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(remove).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#user-lan")).to_have_count(0)
    expect(page.locator("#new-password")).to_have_count(0)
    page.goto(f"{site.url}/log")
    expect(page.locator("tbody tr").first).to_contain_text("Xoá người dùng")


def test_a_machine_is_moved_and_its_finding_closed(page: Page, site: Site, world: World) -> None:
    """From the machine's page through the forms and back."""
    agent = world.add(1, "Máy 1")
    with world.ledger.write() as c:
        findings.open_finding(c, "clone", agent, "k", world.clock(), "hai máy")
    page.goto(f"{site.url}/machines/{agent}")
    page.get_by_role("link", name="Đóng phát hiện").click()
    page.get_by_label("Lý do đóng").fill("đã kiểm tra")
    page.get_by_role("button", name="Đóng phát hiện").click()
    expect(page.locator("#closed")).to_contain_text("đã kiểm tra")
    page.get_by_role("link", name="Sửa, chuyển, ngừng dùng").click()
    page.get_by_label("Nhóm cán bộ").select_option("cbcc")
    page.get_by_role("button", name="Chuyển", exact=True).click()
    expect(page.locator("#history")).to_contain_text("Cán bộ, công chức")


@pytest.mark.parametrize("width", [360, 1280])
def test_long_texts_stay_within_the_page(page: Page, site: Site, world: World, width: int) -> None:
    """Tables scroll in themselves, the page never sideways; every control has a name."""
    agent = world.add(1, LONG[:90])
    admin = site.session(Role.ADMIN)
    admin.post("/tokens", data={"role": "pc", "note": LONG})
    admin.post("/users", data={"name": "x" * 64, "role": "viewer"})
    admin.post(f"/machines/{agent}/edit", data={"label": LONG[:99], "asset_code": "A" * 64})
    page.set_viewport_size({"width": width, "height": 800})
    nameless = """() => Array.from(document.querySelectorAll(
        'a,button,summary,input:not([type=hidden]),select'))
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)))
        .map(e => e.outerHTML)"""
    for path in ("/users", "/tokens", "/log", f"/machines/{agent}", f"/machines/{agent}/edit"):
        page.goto(f"{site.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(nameless) == [], path
        assert page.locator("h1").count() == 1, path
