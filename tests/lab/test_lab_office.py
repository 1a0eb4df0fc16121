"""An office with two links and three machines, added with nothing but the page, over real networks.

With ``HATANG_PICTURES=docs/pictures`` it also takes the pictures of the guide.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from support.namespaces import Box, Lab
from support.stack import Stack

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
PASSWORD = "một mật khẩu rất dài"
FIVE_MINUTES_S = 300
PICTURES = os.environ.get("HATANG_PICTURES", "")
LIVELY = "[schedule]\nsample_s = 5\n[reporting]\nreport_s = 5\n"


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A browser's page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(20_000)
        yield opened
        browser.close()


def picture(page: Page, number: int) -> None:
    """One picture of the guide, when they are wanted."""
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"add-an-office-{number}.png"), full_page=True)


def log_in(page: Page, stack: Stack) -> None:
    """The first login, with the password of the terminal, and one of one's own."""
    found = re.search(r"password (\S+)", stack.collector.said())
    assert found is not None
    page.goto(f"{stack.url}/")
    page.locator("[name=name]").fill("admin")
    page.locator("[name=password]").fill(found[1])
    page.get_by_role("button", name="Đăng nhập").click()
    page.locator("[name=present]").fill(found[1])
    page.locator("[name=new]").fill(PASSWORD)
    page.locator("[name=again]").fill(PASSWORD)
    page.locator("main button").click()
    expect(page.get_by_role("button", name="Đăng xuất")).to_be_visible()


def fill_in(page: Page) -> None:
    """The form, as somebody who sees it for the first time; one slip is corrected."""
    page.locator("main").get_by_role("link", name=re.compile("Thêm trụ sở")).first.click()
    picture(page, 1)
    page.locator("[name=unit_name]").fill("UBND xã Khe Tre")
    page.locator("[name=unit_code]").fill("20161")
    page.locator("[name=address]").fill("Tổ dân phố 2, xã Khe Tre, thành phố Huế")
    page.locator("[name=link1_kind]").select_option("cpnet")
    page.locator("[name=link1_provider]").fill("VNPT")
    page.locator("[name=link1_down]").fill("100")
    page.locator("[name=link1_up]").fill("100")
    page.locator("[name=link2_kind]").select_option("ftth")
    page.locator("[name=link2_provider]").fill("Viettel")
    page.locator("[name=link2_down]").fill("1x50")
    page.locator("[name=link2_up]").fill("150")
    page.locator("[name=probe]").check()
    page.locator("[name=pcs_cbcc]").fill("2")
    page.get_by_role("button", name="Thêm trụ sở và tạo mã ghi danh").click()
    expect(page.locator("[name=link2_provider]")).to_have_value("Viettel")
    picture(page, 2)
    page.locator("[name=link2_down]").fill("150")
    page.get_by_role("button", name="Thêm trụ sở và tạo mã ghi danh").click()
    expect(page.locator("#arrivals")).to_contain_text("còn thiếu 2")
    picture(page, 3)


def type_in(box: Box, line: str, label: str) -> None:
    """Run the line of the page in a box, and the agent after it."""
    program, *rest = shlex.split(line.strip())
    assert program == "hatang-agent"
    state = str(box.folder / "state")
    done = box.run(sys.executable, "-m", "hatang_agent", *rest, "--label", label, "--state", state)
    assert done.returncode == 0, done.stdout + done.stderr
    config = box.folder / "agent.toml"
    config.write_text(LIVELY, encoding="utf-8")
    box.start(sys.executable, "-m", "hatang_agent", "run", "--config", str(config), "--state", state)


def test_an_office_is_added_in_five_minutes(stack: Stack, lab: Lab, page: Page) -> None:
    """From an empty installation: the first login, one form, three lines, and everything has arrived."""
    boxes = [lab.box() for _ in range(3)]
    began = time.monotonic()
    stack.start()
    log_in(page, stack)
    fill_in(page)
    arrivals = page.locator("#arrivals")
    probe_line = page.locator("#line-probe-all-linux").inner_text()
    pc_line = page.locator("#line-pc-cbcc-linux").inner_text()
    type_in(boxes[0], probe_line, "Trạm đo Khe Tre")
    type_in(boxes[1], pc_line, "Văn thư 1")
    expect(arrivals).to_contain_text("1/2 đã ghi danh", timeout=40_000)
    picture(page, 4)
    type_in(boxes[2], pc_line, "Kế toán 1")
    expect(arrivals).to_contain_text("Mọi máy được mời đã tới và đã gửi báo cáo.", timeout=60_000)
    page.get_by_role("link", name="Trang của trụ sở này").click()
    for label in ("Trạm đo Khe Tre", "Văn thư 1", "Kế toán 1"):
        expect(page.get_by_role("link", name=label).first).to_be_visible()
    took_s = time.monotonic() - began
    picture(page, 5)
    page.goto(f"{stack.url}/")
    expect(page.locator("main")).to_contain_text("UBND xã Khe Tre")
    expect(page.locator("main")).to_contain_text("VNPT")
    picture(page, 6)

    assert took_s < FIVE_MINUTES_S, f"it took {took_s:.0f} s"
