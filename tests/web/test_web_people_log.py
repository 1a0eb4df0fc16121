"""The log of changes as a page and as a file: paged, filtered, in words, whole."""

from __future__ import annotations

import csv
import io
import re

import pytest

from hatang_collector.ledger import audit
from hatang_collector.ledger.users import Role
from hatang_collector.web.pages import log as log_page
from web.webkit import START_MS, World
from web.webkit import Site as RunningSite


def fill(world: World, count: int) -> None:
    """Acts a minute apart, by two people."""
    with world.ledger.write() as c:
        for number in range(count):
            who = "lan" if number % 2 else "hà"
            audit.append(
                c,
                who=who,
                role="admin",
                action="user.role" if number % 3 else "user.add",
                subject=f"u{number:04}",
                now_ms=START_MS + number * 60_000,
                detail='{"role":["viewer","admin"]}',
            )


def subjects(page: str) -> list[str]:
    """The subjects in a page's table, in order."""
    return re.findall(r"<td><bdi>(u\d{4})</bdi></td>", page)


def test_the_log_is_paged_newest_first_without_a_gap(site: RunningSite, world: World) -> None:
    """Following the links shows every act once, also while new ones come."""
    fill(world, 250)
    admin = site.session(Role.ADMIN)
    page = admin.get("/log").text
    seen = subjects(page)
    with world.ledger.write() as c:
        audit.append(c, who="x", role="admin", action="user.add", subject="u9999", now_ms=START_MS)
    while link := re.search(r'href="(/log\?[^"]+)" rel="next"', page):
        page = admin.get(link[1].replace("&amp;", "&")).text
        seen += subjects(page)
    assert seen == [f"u{number:04}" for number in reversed(range(250))]


def test_the_log_is_read_in_words(site: RunningSite, world: World) -> None:
    """Act, role, local time and change in Vietnamese; nothing of it is markup."""
    with world.ledger.write() as c:
        audit.append(
            c,
            who="<i>hà</i>",
            role="admin",
            action="user.role",
            subject="lan",
            now_ms=START_MS,
            detail='{"role":["viewer","admin"]}',
        )
    page = site.session(Role.ADMIN).get("/log").text
    for told in ("20/11/2026 08:26:00", "Đổi quyền người dùng", "Người xem → Quản trị viên", "&lt;i&gt;hà"):
        assert told in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("who=lan", ["u0005", "u0003", "u0001"]),
        ("action=user.add", ["u0003", "u0000"]),
        ("q=U0002", ["u0002"]),
        ("day=20/11/2026", [f"u{number:04}" for number in reversed(range(6))]),
        ("day=21/11/2026", []),
        ("who=lan&action=user.add", ["u0003"]),
    ],
)
def test_the_log_is_filtered(site: RunningSite, world: World, query: str, expected: list[str]) -> None:
    """By person, act, words and local day, alone and together; the CSV has the same rows."""
    fill(world, 6)
    admin = site.session(Role.ADMIN)
    assert subjects(admin.get(f"/log?{query}").text) == expected
    rows = list(csv.reader(io.StringIO(admin.get(f"/log.csv?{query}").text.lstrip("\ufeff")), delimiter=";"))
    assert [row[5] for row in rows[1:]] == expected


@pytest.mark.parametrize("path", ["/log", "/log.csv"])
def test_a_day_that_is_none_is_told(site: RunningSite, path: str) -> None:
    """The answer names the field and how to write it."""
    answer = site.session(Role.ADMIN).get(f"{path}?day=31/02/2026")
    assert answer.status_code == 400
    assert "day" in answer.text


def test_the_download_has_every_row_and_no_formula(
    site: RunningSite, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows than are read at a time; cells that a spreadsheet would run are only text."""
    monkeypatch.setattr(log_page, "CSV_ROWS", 10)
    fill(world, 30)
    with world.ledger.write() as c:
        audit.append(
            c, who='=cmd|"/c calc"!A1', role="", action="+x", subject="@y;z", now_ms=START_MS, detail="-1\n2"
        )
    answer = site.session(Role.ADMIN).get("/log.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert rows[0][:3] == ["Số", "Lúc", "Người làm"]
    assert rows[1][2:] == ['\'=cmd|"/c calc"!A1', "", "'+x", "'@y;z", "'-1\n2"]
    assert [row[5] for row in rows[2:]] == [f"u{number:04}" for number in reversed(range(30))]
    assert rows[2][6] == "Quyền: Người xem → Quản trị viên"
