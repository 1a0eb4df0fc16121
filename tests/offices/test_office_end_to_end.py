"""From an empty installation to a reporting machine, with nothing but the page and the line it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from support.servers import Mosquitto
from support.stack import Stack, environment

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
NEW_PASSWORD = "một mật khẩu rất dài"


@pytest.fixture
def stack(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Stack]:
    """A collector that was never started before."""
    made = Stack(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A browser's page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        opened = browser.new_page()
        opened.set_default_timeout(20_000)
        yield opened
        browser.close()


def log_in(page: Page, stack: Stack) -> None:
    """The first login, with the password of the terminal, and one of one's own."""
    found = re.search(r"password (\S+)", stack.collector.said())
    assert found is not None
    page.goto(f"{stack.url}/")
    page.locator("[name=name]").fill("admin")
    page.locator("[name=password]").fill(found[1])
    page.get_by_role("button", name="Đăng nhập").click()
    page.locator("[name=present]").fill(found[1])
    page.locator("[name=new]").fill(NEW_PASSWORD)
    page.locator("[name=again]").fill(NEW_PASSWORD)
    page.locator("main button").click()
    expect(page.get_by_role("button", name="Đăng xuất")).to_be_visible()


def run_line(line: str, state: Path) -> str:
    """Run the line as it stands on the page, with a state folder of this test."""
    program, *rest = shlex.split(line)
    assert program == "hatang-agent"
    argv = [sys.executable, "-m", "hatang_agent", *rest, "--label", "Kế toán 1", "--state", str(state)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment(), timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_office_is_added_and_its_machine_reports(stack: Stack, page: Page, tmp_path: Path) -> None:
    """Log in, one form, one line on the machine; the page follows by itself until all is done."""
    log_in(page, stack)
    page.goto(f"{stack.url}/offices/new")
    page.locator("[name=unit_name]").fill("UBND xã Khe Tre")
    page.locator("[name=link1_kind]").select_option("ftth")
    page.locator("[name=link1_provider]").fill("Viettel")
    page.locator("[name=link1_down]").fill("150")
    page.locator("[name=probe]").uncheck()
    page.locator("[name=pcs_cbcc]").fill("1")
    page.get_by_role("button", name="Thêm trụ sở và tạo mã ghi danh").click()
    arrivals = page.locator("#arrivals")
    expect(arrivals).to_contain_text("còn thiếu 1")
    state = tmp_path / "agent"
    state.mkdir()
    assert "enrolled as" in run_line(page.locator("#line-pc-cbcc-linux").inner_text(), state)
    expect(arrivals).to_contain_text("1/1 đã ghi danh, 0 đã có báo cáo")
    expect(arrivals.locator("tbody tr")).to_contain_text("Cán bộ, công chức")
    stack.agent(state)
    expect(arrivals).to_contain_text("Mọi máy được mời đã tới và đã gửi báo cáo.", timeout=40_000)
    page.get_by_role("link", name="Trang của trụ sở này").click()
    expect(page.get_by_role("link", name="Kế toán 1").first).to_be_visible()
