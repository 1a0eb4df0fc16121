"""Importing through the page: a preview that writes nothing, a yes that writes what was seen, or nothing."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date

import httpx
import pytest

from hatang_collector.domain import edits
from hatang_collector.domain.estate import Asset, AssetKind, Estate, Site, Unit
from hatang_collector.ledger import users
from hatang_collector.ledger.users import Role
from hatang_collector.sheets import export
from hatang_collector.sheets.files import Source
from hatang_collector.web.guard import MAX_UPLOAD
from hatang_collector.web.held_files import KEPT_MS, MOST, Held, HeldFiles
from hatang_collector.web.pages.import_files import MOST_FILES
from hatang_collector.web.security import SESSION_COOKIE
from support.registers import acts_in, declare, estate_in, form_in, number_in
from web.webkit import Site as Pages
from web.webkit import World

HUE, KHE_TRE = Unit("46", "Thành phố Huế"), Unit("20161", "UBND xã Khe Tre", "xã", "46")
UNITS = "Mã đơn vị;Tên đơn vị;Loại;Trực thuộc\r\n46;Thành phố Huế;;\r\n20161;UBND xã Khe Tre;xã;46\r\n"
NAS = "Mã tài sản;Loại;Đơn vị\r\nTS1;Thiết bị lưu trữ mạng (NAS);20161\r\n"
CONFIRM = "/registers/import/confirm"
Files = Sequence[tuple[str, bytes]]


def upload(client: httpx.Client, *files: tuple[str, bytes]) -> httpx.Response:
    """Send files as the page's form does."""
    return client.post("/registers/import", files=[("files", one) for one in files])


def confirm(client: httpx.Client, preview: httpx.Response) -> httpx.Response:
    """Press the button of a preview."""
    return client.post(CONFIRM, data=form_in(preview.text, CONFIRM).fields)


def workbook(*rows: edits.Row) -> bytes:
    """A workbook of an estate with these rows."""
    return export.workbook(edits.put_all(Estate(), rows))


def test_a_preview_writes_nothing_and_the_yes_writes_it_all(site: Pages, world: World) -> None:
    """Two files that need each other; the log names them; a second yes has nothing to say yes to."""
    admin = site.session(Role.ADMIN)
    number = number_in(world)
    seen = upload(admin, ("tai-san.csv", NAS.encode()), ("don-vi.csv", UNITS.encode()))
    assert seen.status_code == 200
    assert "Đơn vị: 2 thêm; Tài sản: 1 thêm" in seen.text
    assert "thêm tài sản TS1" in seen.text
    assert (number_in(world), acts_in(world)) == (number, [])
    done = confirm(admin, seen)
    assert (done.status_code, done.headers["location"]) == (303, "/registers?imported=true")
    assert "Đã nhập xong" in admin.get(done.headers["location"]).text
    estate = estate_in(world)
    assert estate.units == (KHE_TRE, HUE)
    assert estate.assets == (Asset("TS1", AssetKind.NAS, "20161"),)
    assert [one.action for one in acts_in(world)] == ["unit.add", "unit.add", "asset.add"]
    assert all('"why":"tai-san.csv, don-vi.csv"' in one.detail for one in acts_in(world))
    assert world.pokes == 1
    assert confirm(admin, seen).status_code == 404


def test_a_workbook_that_says_what_is_known_asks_for_nothing(site: Pages, world: World) -> None:
    """There is no button then."""
    declare(world, HUE, KHE_TRE)
    seen = upload(site.session(Role.ADMIN), ("so.xlsx", export.workbook(estate_in(world))))
    assert seen.status_code == 200
    assert "không thay đổi gì" in seen.text
    assert CONFIRM not in seen.text


def _macro() -> bytes:
    content = io.BytesIO(workbook(HUE))
    with zipfile.ZipFile(content, "a") as packed:
        packed.writestr("xl/vbaProject.bin", b"x")
    return content.getvalue()


BAD: dict[str, tuple[Files, str]] = {
    "unknown unit": ([("a.csv", NAS.encode())], "a.csv, dòng 2, cột “Đơn vị”"),
    "no such kind": (
        [("a.csv", NAS.replace("Thiết bị lưu trữ mạng (NAS)", "Máy bay").encode())],
        "“Máy bay”",
    ),
    "a code twice": ([("u.csv", (UNITS + "46;Huế;;\r\n").encode())], "46 đã có ở dòng 2"),
    "a circle": ([("u.csv", UNITS.replace("Huế;;", "Huế;;20161").encode())], "vòng tròn"),
    "missing column": ([("u.csv", b"M\xc3\xa3 \xc4\x91\xc6\xa1n v\xe1\xbb\x8b;x\r\n46;y\r\n")], "u.csv"),
    "one bad among good": ([("u.csv", UNITS.encode()), ("x.csv", b"a;b\r\n1;2\r\n")], "x.csv"),
    "old Excel": ([("a.xls", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504))], "tệp Excel cũ (.xls)"),
    "macros": ([("a.xlsm", _macro())], "a.xlsm"),
    "no workbook": ([("a.xlsx", b"not a workbook")], "không phải tệp Excel"),
    "a picture": ([("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100))], "a.png"),
    "empty": ([("a.csv", b"")], "tệp rỗng"),
    "a web page": ([("a.xls", b"<html><body><table></table></body></html>")], "trang web"),
    "old font": ([("a.csv", "Mã đơn vị;Tên đơn vị\r\n1;Thµnh phè HuÕ\r\n".encode())], "TCVN3"),
    "half a file": ([("a.xlsx", workbook(HUE)[:900])], "a.xlsx"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_changes_nothing(site: Pages, world: World, case: str) -> None:
    """It is told where and what; there is nothing to say yes to."""
    files, told = BAD[case]
    number = number_in(world)
    answer = upload(site.session(Role.ADMIN), *files)
    assert answer.status_code == 400
    assert told in answer.text
    assert "Không có gì thay đổi" in answer.text
    assert CONFIRM not in answer.text
    assert (number_in(world), acts_in(world)) == (number, [])


def test_problems_are_told_in_the_readers_language(site: Pages) -> None:
    """Place, cause and next step."""
    admin = site.session(Role.ADMIN)
    admin.cookies.set("hatang_lang", "en")
    text = upload(admin, ("a.csv", NAS.encode())).text
    assert "a.csv, row 2, column “Đơn vị”" in text
    assert "there is no unit “20161”" in text
    assert "correct it, or add it to the sheet “Units”" in text


def test_names_of_files_and_cells_are_only_text(site: Pages) -> None:
    """Markup in them is shown, not obeyed."""
    evil = "<img src=x onerror=alert(1)>"
    answer = upload(site.session(Role.ADMIN), (f"{evil}.csv", NAS.replace("20161", evil).encode()))
    assert evil not in answer.text
    assert "&lt;img src=x" in answer.text


def test_a_yes_after_an_unrelated_change_is_a_yes(site: Pages, world: World) -> None:
    """What the preview said is still what happens."""
    admin = site.session(Role.ADMIN)
    seen = upload(admin, ("u.csv", UNITS.encode()))
    declare(world, Site("ts", "Trụ sở"))
    assert confirm(admin, seen).status_code == 303
    assert len(estate_in(world).units) == 2


@pytest.mark.parametrize(
    ("change", "still"),
    [
        (Unit("20161", "UBND xã Nam Đông"), "UBND xã Khe Tre"),
        (KHE_TRE, "không thay đổi gì"),
        (Unit("46", "Thành phố Huế", valid_to=date(2025, 1, 1)), "phải sửa"),
    ],
    ids=["something else differs now", "nothing differs now", "contradicts now"],
)
def test_a_yes_after_somebody_elses_change_is_asked_again(
    site: Pages, world: World, change: Unit, still: str
) -> None:
    """Nothing is written that nobody saw; the files are read again and the new preview is shown."""
    declare(world, HUE)
    admin = site.session(Role.ADMIN)
    seen = upload(admin, ("a.csv", UNITS.replace("46;Thành phố Huế;;\r\n", "").encode()))
    declare(world, HUE, change)
    number = number_in(world)
    answer = confirm(admin, seen)
    assert answer.status_code == 409
    assert "người khác đã đổi sổ" in answer.text
    assert still in answer.text
    assert (number_in(world), acts_in(world)) == (number, [])
    assert confirm(admin, seen).status_code == 404
    if CONFIRM in answer.text:
        assert confirm(admin, answer).status_code == 303
        assert KHE_TRE.name in [one.name for one in estate_in(world).units]


def test_nobody_confirms_anothers_upload(site: Pages, world: World) -> None:
    """Another administrator is told that it is not there; its owner still may."""
    with world.ledger.write() as c:
        users.change_role(c, "inspector", Role.ADMIN)
        other = site.client(cookies={SESSION_COOKIE: users.open_session(c, "inspector", world.clock())})
    admin = site.session(Role.ADMIN)
    seen = upload(admin, ("u.csv", UNITS.encode()))
    refused = other.post(CONFIRM, data=form_in(seen.text, CONFIRM).fields)
    assert refused.status_code == 404
    assert "Tệp đã tải lên không còn được giữ" in refused.text
    assert estate_in(world).units == ()
    assert confirm(admin, seen).status_code == 303


def test_an_upload_is_not_kept_for_long(site: Pages, world: World) -> None:
    """After half an hour the file has to be chosen again."""
    admin = site.session(Role.ADMIN)
    seen = upload(admin, ("u.csv", UNITS.encode()))
    world.clock.ms += KEPT_MS + 1
    assert confirm(admin, seen).status_code == 404
    assert estate_in(world).units == ()


def test_too_much_and_nothing_are_told_on_the_page(site: Pages, world: World) -> None:
    """A browser comes back to the form; a program gets its problem as JSON."""
    admin = site.session(Role.ADMIN)
    big = ("big.csv", bytes(MAX_UPLOAD))
    sent_back = upload(admin, big)
    assert sent_back.status_code == 303
    page = admin.get(sent_back.headers["location"]).text
    (told,) = re.findall(r'id="too-large"[^>]*>', page)
    assert "hidden" not in told
    (silent,) = re.findall(r'id="too-large"[^>]*>', admin.get("/registers/import").text)
    assert "hidden" in silent
    refused = admin.post("/registers/import", files=[("files", big)], headers={"accept": "*/*"})
    assert refused.status_code == 413
    nothing = admin.post("/registers/import", files=[("files", ("", b""))])
    assert nothing.status_code == 400
    many = upload(admin, *[(f"{number}.csv", b"x") for number in range(MOST_FILES + 1)])
    assert many.status_code == 400
    assert "nhiều nhất 12 tệp, tổng cộng 16 MB" in page
    assert acts_in(world) == []


def test_what_nobody_may_send_is_not_read(site: Pages) -> None:
    """A viewer and a stranger are refused, whatever they send."""
    content = ("u.csv", UNITS.encode())
    assert upload(site.session(Role.VIEWER), content).status_code == 403
    assert upload(site.client(), content).status_code == 303


def held(owner: str = "admin", at_ms: int = 0) -> Held:
    """An upload."""
    return Held(owner, [Source("a.csv", b"x")], "promise", at_ms)


def test_only_the_newest_uploads_are_kept() -> None:
    """The oldest makes room; dropping twice is no error."""
    files = HeldFiles()
    names = [files.put(held(at_ms=number)) for number in range(MOST + 1)]
    assert [files.get(name, "admin", 10) is not None for name in names] == [False] + [True] * MOST
    files.drop(names[-1])
    files.drop(names[-1])
    assert files.get(names[-1], "admin", 10) is None


def test_an_upload_is_its_owners_until_it_is_old() -> None:
    """And is gone for good once it was too old."""
    files = HeldFiles()
    name = files.put(held(at_ms=1_000))
    assert files.get(name, "other", 1_000) is None
    assert files.get(name, "admin", 1_000 + KEPT_MS) is not None
    assert files.get(name, "admin", 1_001 + KEPT_MS) is None
    assert files.get(name, "admin", 1_000) is None
