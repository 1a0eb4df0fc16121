"""The registers in a real browser: typing, choosing files, and paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hatang_collector.domain.estate import Asset, AssetKind, Link, LinkKind, Unit
from hatang_collector.domain.estate import Site as House
from hatang_collector.ledger import users
from hatang_collector.ledger.users import Role
from hatang_collector.web.guard import MAX_UPLOAD
from hatang_collector.web.security import SESSION_COOKIE
from support.registers import address_of, declare, estate_in
from web.webkit import Site, World

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
LINK = Link("l1", "ts", LinkKind.FTTH, "VNPT", 20.0, 20.0)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One headless browser for the module."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, site: Site, world: World) -> Iterator[Page]:
    """A page of an administrator; no script of it may have failed."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    with world.ledger.write() as c:
        text = users.open_session(c, str(Role.ADMIN), world.clock())
    context.add_cookies([{"name": SESSION_COOKIE, "value": text, "url": site.url}])
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    failed: list[str] = []
    opened.on("pageerror", lambda error: failed.append(str(error)))
    yield opened
    context.close()
    assert failed == []


def test_a_contract_changes_by_typing(page: Page, site: Site, world: World) -> None:
    """From the register to the form and back, where old and new are seen."""
    declare(world, Unit("u", "UBND xã Khe Tre"), House("ts", "Trụ sở Khe Tre"), LINK)
    page.goto(f"{site.url}/registers/links")
    page.get_by_role("link", name="Sửa l1").click()
    expect(page.get_by_label("Mã đường truyền")).not_to_be_editable()
    page.get_by_label("Tải xuống (Mbit/s)").fill("nhanh")
    page.get_by_role("button", name="Lưu").click()
    expect(page.get_by_text("“nhanh” không phải là số")).to_be_visible()
    page.get_by_label("Tải xuống (Mbit/s)").fill("92,5")
    page.get_by_label("Từ ngày", exact=True).fill("01/10/2026")
    page.get_by_role("button", name="Lưu").click()
    expect(page.get_by_role("status")).to_have_text("● Đã lưu.")
    expect(page.locator("tbody tr")).to_have_count(2)
    assert [one.down_mbps for one in estate_in(world).links] == [20.0, 92.5]


def test_a_file_is_chosen_looked_at_and_written(page: Page, site: Site, world: World, tmp_path: Path) -> None:
    """By the buttons of the page; what is too large is told before it travels, and without scripts after."""
    good, large = tmp_path / "đơn vị.csv", tmp_path / "to.csv"
    good.write_text("Mã đơn vị;Tên đơn vị\r\n46;Thành phố Huế\r\n", encoding="utf-8")
    large.write_bytes(bytes(MAX_UPLOAD + 1))
    page.goto(f"{site.url}/registers")
    page.get_by_role("link", name="Nhập từ Excel").click()
    page.get_by_label("Tệp").set_input_files(large)
    page.get_by_role("button", name="Xem trước").click()
    expect(page.get_by_role("alert")).to_contain_text("lớn hơn 16 MB")
    page.evaluate("document.getElementById('upload').submit()")  # as without our script
    page.wait_for_url("**/registers/import?too_large=true")
    expect(page.get_by_role("alert")).to_contain_text("lớn hơn 16 MB")
    page.get_by_label("Tệp").set_input_files(good)
    page.get_by_role("button", name="Xem trước").click()
    expect(page.get_by_text("Đơn vị: 1 thêm")).to_be_visible()
    page.get_by_role("button", name="Đồng ý, ghi vào sổ").click()
    expect(page.get_by_role("status").first).to_contain_text("Đã nhập xong")
    assert estate_in(world).units == (Unit("46", "Thành phố Huế"),)


@pytest.mark.parametrize(
    "path", ["/registers", "/registers/assets", "/registers/matching", "/units", "/units/u"]
)
def test_pages_fit_a_phone_and_paper(page: Page, site: Site, world: World, path: str) -> None:
    """Nothing sticks out; on paper no button and no form is left."""
    names = [f"Người hoạt động không chuyên trách {number}" for number in range(3)]
    assets = [
        Asset(f"TS.{n:03}", AssetKind.DESKTOP, "u", "ts", "", name, name, "S1", name, 2019)
        for n, name in enumerate(names)
    ]
    declare(world, Unit("u", "UBND xã Khe Tre"), House("ts", "Trụ sở Khe Tre"), *assets)
    for media, width in (("screen", 360), ("screen", 1280), ("print", 1040)):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(media="print" if media == "print" else "screen")
        page.goto(site.url + path)
        sticking_out = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(sticking_out) <= 0, (media, width)
    expect(page.locator("form:visible, a.button:visible, nav:visible")).to_have_count(
        1 if path == "/registers/matching" else 0
    )


def test_a_row_is_printed_with_its_values(page: Page, site: Site, world: World) -> None:
    """The fields are there, the acts are not."""
    declare(world, House("ts", "Trụ sở Khe Tre"), LINK)
    page.emulate_media(media="print")
    page.goto(site.url + address_of("links", LINK))
    expect(page.locator("#f-provider")).to_be_visible()
    expect(page.locator("button:visible")).to_have_count(0)
