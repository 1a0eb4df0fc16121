"""`hatang-collector import` and `export`: from the typed line to the ledger and back to sums."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from hatang_collector.__main__ import main
from hatang_collector.domain.difference import difference
from hatang_collector.domain.estate import AssetKind, Estate
from hatang_collector.domain.totals import totals
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger import audit, estate
from hatang_collector.ledger.engine import Ledger
from hatang_collector.sheets.export import csv_files, workbook
from sheets.making import BAD, WORKBOOK, Bad, Rows, book, csv_text
from support.communes import COMMUNES, HUONG_XUAN, MERGED, nam_dong

Command = Callable[..., tuple[int, str, str]]
BEFORE_MERGER = date(2019, 12, 31)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command on the data folder of this test: (exit code, output, errors)."""

    def run(name: str, *rest: str | Path) -> tuple[int, str, str]:
        code = main([name, "--data", str(tmp_path / "data"), *map(str, rest)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def held(tmp_path: Path, command: Command) -> Iterator[Callable[[], Estate]]:
    """What the ledger of this test holds now."""
    command("users", "list")
    ledger = Ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}")

    def load() -> Estate:
        with ledger.read() as c:
            return estate.load(c)

    yield load
    ledger.close()


def by_hand() -> bytes:
    """The eleven communes as an official types them: names for codes, Hoà, decimal commas, days as text."""
    units: list[tuple[object, ...]] = [
        ("46", "Tỉnh Thừa Thiên Huế", "tỉnh", None, 1, None, None),
        ("HND", "Huyện Nam Đông", "huyện", "Tỉnh Thừa Thiên Huế", 1, None, None),
        (HUONG_XUAN, "UBND xã Hương Xuân", "xã", "Huyện Nam Đông", 3, "01/01/2020", None),
    ]
    staff: list[tuple[object, ...]] = [("Đơn vị", "Nhóm cán bộ", "Số lượng", "Số văn bản")]
    assets: list[tuple[object, ...]] = [
        ("STT", "Số tài sản", "Loại tài sản", "Đơn vị sử dụng", "Nhóm", "Năm trang bị")
    ]
    links: list[tuple[object, ...]] = [("Mã", "Trụ sở", "Loại", "Tải xuống", "Tải lên", "Từ ngày")]
    sites: list[tuple[object, ...]] = [("Mã", "Tên trụ sở")]
    stays: list[tuple[object, ...]] = [("Trụ sở", "Đơn vị", "Đến ngày")]
    for number, (code, kind, name) in enumerate(COMMUNES, 1):
        gone = "ngày 01 tháng 01 năm 2020" if name in ("Hương Giang", "Hương Hòa") else None
        units.append((code, f"UBND {kind} {name}", kind, "huyện nam đông", number, "–", gone))
        called = f"UBND {kind} {name}".replace("Hòa", "Hoà").upper() if number % 2 else f"{kind} {name}"
        staff.append((called, "Cán bộ, công chức", 10 + number, "54/KH-ĐKT"))
        staff.append((called, "Người hoạt động không chuyên trách", f"{number},0", None))
        sites.append((f"TS{number:02}", f"Trụ sở {name.replace('Hòa', 'Hoà')}"))
        stays.append((f"trụ sở {name}", called, gone))
        links.append((f"L{number}", f"Trụ sở {name}", "Cáp quang", "92,5 Mb", "1.000", "1/3/2015"))
        kinds = ["Máy vi tính"] * number + ["Máy scan"]
        assets += [(n, f"{code}/{n:02}", what, called, "cbcc", "2018") for n, what in enumerate(kinds, 1)]
    stays += [("Trụ sở Hương Giang", "Hương Xuân", None), ("Trụ sở Hương Hòa", "Hương Xuân", None)]
    tabs: dict[str, Rows] = {
        "Danh sách đơn vị": [
            ("BẢNG KÊ ĐƠN VỊ HUYỆN NAM ĐÔNG",),
            (),
            ("Mã", "Tên đơn vị", "Cấp", "Cấp trên", "STT", "Từ ngày", "Đến ngày"),
            *units,
        ],
        "Sáp nhập": [
            ("Đơn vị cũ", "Đơn vị mới", "Ngày hiệu lực", "Hình thức", "Nghị quyết"),
            ("UBND xã Hương Giang", "UBND xã Hương Xuân", "01/01/2020", "sáp nhập", "834/NQ-UBTVQH14"),
            ("Hương Hoà", "UBND xã Hương Xuân", "1-1-2020", "Nhập", "834/NQ-UBTVQH14"),
        ],
        "Trụ sở": sites,
        "Bố trí trụ sở": stays,
        "Đường truyền": links,
        "Biên chế": staff,
        "Trang thiết bị": assets,
    }
    return book(tabs)


def test_the_eleven_communes_come_in_from_one_workbook(
    command: Command, held: Callable[[], Estate], tmp_path: Path
) -> None:
    """Their staff, assets and history; a second time changes nothing; every row is in the log of acts."""
    (tmp_path / "khai-bao.xlsx").write_bytes(workbook(nam_dong()))
    code, out, err = command("import", tmp_path / "khai-bao.xlsx")
    again = command("import", tmp_path / "khai-bao.xlsx")

    assert (code, err) == (0, "")
    assert difference(held(), nam_dong()) == []
    assert "Đơn vị: 32 thêm" in out
    assert out.splitlines()[-1].startswith("đã nhập 414/414 dòng: ")
    assert again == (0, "đã đọc 414/414 dòng: không có gì thay đổi\n", "")
    ledger = Ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}")
    with ledger.read() as c:
        acts = audit.latest(c, 1000)
    ledger.close()
    assert {act.who for act in acts} == {audit.COMMAND_LINE}
    assert "import khai-bao.xlsx" in next(act.detail for act in acts if act.subject.startswith("TS.ND01.001"))


def test_merged_units_have_right_sums_on_both_sides_of_the_day(
    command: Command, held: Callable[[], Estate], tmp_path: Path
) -> None:
    """A workbook typed by hand: the old units as of the day before, the new one as of the day."""
    (tmp_path / "tay.xlsx").write_bytes(by_hand())
    code, _, err = command("import", tmp_path / "tay.xlsx", "--language", "en")
    found = held()
    tree = Tree(found.units, found.successions)
    numbers = {name: number for number, (_, _, name) in enumerate(COMMUNES, 1)}
    giang, hoa = numbers["Hương Giang"], numbers["Hương Hòa"]

    assert code == 0, err
    assert all(line.startswith("warning: ") for line in err.splitlines())
    assert "is taken as “UBND xã Hương Hòa”" in err
    for name, number in numbers.items():
        unit = COMMUNES[number - 1][0]
        then = totals(found, tree, unit, BEFORE_MERGER)
        assert (then.people("cbcc"), then.people("ban_chuyen_trach")) == (10 + number, number), name
        assert then.count([AssetKind.DESKTOP]) == number
        assert then.count([AssetKind.SCANNER]) == 1
    new = totals(found, tree, HUONG_XUAN, MERGED)
    assert new.people("cbcc") == 20 + giang + hoa
    assert new.people("ban_chuyen_trach") == giang + hoa
    assert new.count([AssetKind.DESKTOP]) == giang + hoa
    assert len(new.links) == len(new.sites) == 2
    for day in (BEFORE_MERGER, MERGED):
        district = totals(found, tree, "HND", day)
        assert district.people() == sum(10 + 2 * number for number in numbers.values())
        assert district.count() == sum(number + 1 for number in numbers.values())
        assert len(district.links) == 11
        assert district.unattributed == ()
    assert {(link.down_mbps, link.up_mbps, link.valid_from) for link in found.links} == {
        (92.5, 1000.0, date(2015, 3, 1))
    }
    with pytest.raises(LookupError):
        totals(found, tree, "ND03", MERGED)


def test_a_merger_of_an_export_has_the_sums_of_the_original(
    command: Command, held: Callable[[], Estate], tmp_path: Path
) -> None:
    """Under every unit, before and after, in CSV files of a folder."""
    folder = tmp_path / "csv"
    folder.mkdir()
    for name, content in csv_files(nam_dong()).items():
        (folder / name).write_bytes(content)
    assert command("import", folder)[0] == 0
    before, after = nam_dong(), held()

    for day in (BEFORE_MERGER, MERGED):
        trees = [Tree(one.units, one.successions) for one in (before, after)]
        for unit in {one.code for one in before.units if trees[0].unit(one.code, day)}:
            assert totals(before, trees[0], unit, day) == totals(after, trees[1], unit, day)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_file_changes_nothing(
    bad: Bad, command: Command, held: Callable[[], Estate], tmp_path: Path
) -> None:
    """Exit code 1, one line about it, and the ledger as it was, good files beside it or not."""
    before = held()
    (tmp_path / bad.name).write_bytes(bad.make())
    (tmp_path / "good.xlsx").write_bytes(WORKBOOK)
    code, out, err = command("import", tmp_path / "good.xlsx", tmp_path / bad.name, "--language", "en")
    problems = [line for line in err.splitlines() if not line.startswith("warning: ")]

    assert (code, out) == (1, "")
    assert held() == before
    assert problems[-1].startswith("nothing was imported: ")
    if "circle" not in bad.told and "duplicate" not in bad.name:
        assert any(bad.told[0] in line for line in problems)
    assert "Traceback" not in err


def test_a_dry_run_says_it_all_and_writes_nothing(
    command: Command, held: Callable[[], Estate], tmp_path: Path
) -> None:
    """The same sentences, and the ledger stays empty."""
    before = held()
    (tmp_path / "a.xlsx").write_bytes(WORKBOOK)
    code, out, _ = command("import", tmp_path / "a.xlsx", "--dry-run")

    assert code == 0
    assert held() == before
    assert "thêm đơn vị 20161: Tên đơn vị “UBND xã Khe Tre”, Loại “xã”, Trực thuộc “46”" in out
    assert "sẽ nhập 2/2 dòng, chưa ghi gì: Đơn vị: 2 thêm" in out


def test_fifty_problems_are_shown_and_the_rest_counted(command: Command, tmp_path: Path) -> None:
    """A column that is wrong throughout does not fill the screen; JSON has them all."""
    rows = [("Mã", "Tên", "Thứ tự"), *((f"u{n}", "U", "đầu") for n in range(70))]
    (tmp_path / "don-vi.csv").write_text(csv_text(rows), encoding="utf-8")
    code, _, err = command("import", tmp_path / "don-vi.csv", "--language", "en")
    _, out, _ = command("import", tmp_path / "don-vi.csv", "--json")
    lines = err.splitlines()
    told = json.loads(out)

    assert code == 1
    assert lines[0] == (
        "don-vi.csv, row 2, column “Thứ tự”: “đầu” is no number; write a number, such as 1250 or 92,5"
    )
    assert len(lines) == 52
    assert lines[50:] == [
        "… and 20 more",
        "nothing was imported: 70 problems; correct them, or add --skip-bad-rows for the good rows",
    ]
    assert (told["refused"], told["written"], len(told["problems"])) == (True, False, 70)
    assert told["problems"][0]["row"] == 2
    assert told["problems"][0]["line"].startswith("don-vi.csv, dòng 2, cột “Thứ tự”: ")


def test_good_rows_come_in_and_the_others_are_listed(
    command: Command, held: Callable[[], Estate], tmp_path: Path
) -> None:
    """Only when asked."""
    rows = [("Mã", "Tên", "Thứ tự"), ("a", "A", 1), ("b", "B", "hai")]
    (tmp_path / "don-vi.csv").write_text(csv_text(rows), encoding="utf-8")
    code, out, err = command("import", tmp_path / "don-vi.csv", "--skip-bad-rows")

    assert code == 0
    assert [unit.code for unit in held().units] == ["a"]
    assert err.splitlines() == [
        "don-vi.csv, dòng 3, cột “Thứ tự”: “hai” không phải là số; ghi số, ví dụ 1250 hoặc 92,5"
    ]
    assert "đã nhập 1/2 dòng: Đơn vị: 1 thêm" in out


def test_a_change_holds_from_the_day_given(
    command: Command, held: Callable[[], Estate], tmp_path: Path
) -> None:
    """``--from`` is the day of a change whose row says none."""
    for name in ("Một", "Hai"):
        (tmp_path / "don-vi.csv").write_text(csv_text([("Mã", "Tên"), ("a", name)]), encoding="utf-8")
        assert command("import", tmp_path / "don-vi.csv", "--from", "01/07/2025")[0] == 0

    assert [(unit.name, unit.valid_to) for unit in held().units] == [("Một", date(2025, 7, 1)), ("Hai", None)]


def test_export_change_import(command: Command, held: Callable[[], Estate], tmp_path: Path) -> None:
    """What a person does every month, as workbook and as CSV, in both languages."""
    (tmp_path / "a.xlsx").write_bytes(workbook(nam_dong()))
    command("import", tmp_path / "a.xlsx")
    for target, language in (("b.xlsx", "vi"), ("c.xlsx", "en"), ("csv", "vi"), ("csv-en", "en")):
        code, out, err = command("export", tmp_path / target, "--language", language)
        assert (code, err) == (0, "")
        assert str(tmp_path / target) in out
        assert "không có gì thay đổi" in command("import", tmp_path / target)[1]
    assert command("export", tmp_path / "b.xlsx")[0] == 1
    assert command("export", tmp_path / "b.xlsx", "--force", "--sheets", "assets")[0] == 0
    assert command("export", tmp_path / "x.pdf")[0] == 1
    assert difference(held(), nam_dong()) == []


@pytest.mark.parametrize("target", ["mau.xlsx", "mau"])
def test_a_template_is_written_once(command: Command, tmp_path: Path, target: str) -> None:
    """And imports as nothing; a file that is there is not overwritten by accident."""
    assert command("import", "--template", tmp_path / target)[0] == 0
    again, _, err = command("import", "--template", tmp_path / target)
    code, out, _ = command("import", tmp_path / target)

    assert again == 1
    assert "is there already; choose another name, or add --force" in err
    assert command("import", "--template", tmp_path / target, "--force")[0] == 0
    assert (code, out) == (0, "đã đọc 0/0 dòng: không có gì thay đổi\n")


def test_bad_usage(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to do, two things at once, a day that is none: 2. A file that is not there: 1, one line."""
    assert command("import")[0] == 2
    assert command("import", "a.xlsx", "--template", "b.xlsx")[0] == 2
    with pytest.raises(SystemExit) as ended:
        command("import", "a.xlsx", "--from", "2025-07-01")
    capsys.readouterr()
    code, _, err = command("import", tmp_path / "nichts.xlsx")

    assert ended.value.code == 2
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "there is no such file" in err
