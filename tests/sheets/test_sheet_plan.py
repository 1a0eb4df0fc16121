"""What files change: versions and corrections, names for codes, skipped rows, warnings, sentences."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date

import pytest

from hatang_collector.domain.checks import CODES
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.difference import difference
from hatang_collector.domain.estate import (
    STAFF_GROUPS,
    Asset,
    AssetKind,
    AssetState,
    DayKind,
    Estate,
    Link,
    LinkKind,
    Site,
    SiteUnit,
    Succession,
    SuccessionKind,
    Unit,
)
from hatang_collector.sheets import judging
from hatang_collector.sheets.export import workbook
from hatang_collector.sheets.files import Source
from hatang_collector.sheets.plan import Plan, read_files
from hatang_collector.sheets.words import sentence, summary
from sheets.making import Rows, book
from support.communes import nam_dong, province

DAY = date(2026, 3, 2)
OLD = date(2020, 1, 1)
ASSET = Asset("PC-1", AssetKind.DESKTOP, "20161", staff_group="cbcc", year=2018, note="cũ")
ESTATE = Estate(
    units=(
        Unit("46", "Thành phố Huế", "thành phố"),
        Unit("20161", "UBND xã Hương Hòa", "xã", "46"),
        Unit("20179", "UBND xã Nam Đông", "xã", "46"),
        Unit("HND", "Huyện Nam Đông", "huyện", "46"),
    ),
    sites=(Site("TS-1", "Trụ sở Hương Hòa"),),
    site_units=(SiteUnit("TS-1", "20161"),),
    staff_groups=STAFF_GROUPS,
    assets=(ASSET,),
)
HEADING = (
    "Mã tài sản",
    "Loại",
    "Đơn vị",
    "Nhóm cán bộ",
    "Năm",
    "Tình trạng",
    "Ghi chú",
    "Từ ngày",
    "Đến ngày",
)
SAME = ("PC-1", "Máy tính để bàn", "20161", "cbcc", 2018, None, "cũ", None, None)


def read(title: str, rows: Rows, before: Estate = ESTATE, *, skip: bool = False) -> Plan:
    """What one tab would change."""
    return read_files([Source("a.xlsx", book({title: rows}))], before, DAY, skip_bad_rows=skip)


def assets(*rows: Sequence[object], skip: bool = False, before: Estate = ESTATE) -> Plan:
    """What rows of assets would change."""
    return read("Tài sản", (HEADING, *rows), before, skip=skip)


def lines(plan: Plan) -> list[str]:
    """Its problems in English."""
    return [problem.line("en") for problem in plan.problems]


def test_what_is_known_changes_nothing() -> None:
    """The same object comes back, so that nobody writes it."""
    made = assets(SAME)

    assert made.differences == []
    assert made.estate_after is ESTATE
    assert (made.rows, made.taken, made.refused) == (1, 1, False)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (
            ("PC-1", "laptop", "20161", "cbcc", 2018, None, "cũ", None, None),
            [("desktop", BEGINNING, DAY), ("laptop", DAY, None)],
        ),
        (
            ("PC-1", "laptop", "20161", "cbcc", 2018, None, "cũ", "01/01/2020", None),
            [("desktop", BEGINNING, OLD), ("laptop", OLD, None)],
        ),
        (("PC-1", "laptop", "20161", "cbcc", 2018, None, "cũ", "–", None), [("laptop", BEGINNING, None)]),
        ((*SAME[:-1], "01/01/2020"), [("desktop", BEGINNING, OLD)]),
        (
            ("PC-1", "laptop", "20161", "cbcc", 2018, None, "cũ", None, "01/01/2030"),
            [("desktop", BEGINNING, DAY), ("laptop", DAY, date(2030, 1, 1))],
        ),
        (("PC-2", "laptop", "20161", None, None, None, None, None, None), None),
    ],
    ids=["from the import on", "from a day", "a correction", "its end", "for a while", "new"],
)
def test_a_day_says_version_or_correction(
    row: Sequence[object], wanted: list[tuple[str, date, date | None]] | None
) -> None:
    """Blank is from the day of the import, the day of a version corrects it, any other begins a new one."""
    made = assets(row)

    assert lines(made) == []
    found = [(one.kind.value, one.valid_from, one.valid_to) for one in made.estate_after.assets]
    assert found == (wanted or [("desktop", BEGINNING, None), ("laptop", BEGINNING, None)])


def test_a_history_in_any_order_of_rows() -> None:
    """Three versions of one new thing, the first without a day."""
    made = assets(
        ("X", "laptop", "20179", None, None, "hỏng", None, "01/01/2025", None),
        ("X", "laptop", "20161", None, None, None, None, None, None),
        ("X", "laptop", "20179", None, None, None, None, "01/01/2020", None),
    )

    assert lines(made) == []
    versions = [one for one in made.estate_after.assets if one.code == "X"]
    assert [(one.unit, one.state, one.valid_from, one.valid_to) for one in versions] == [
        ("20161", AssetState.IN_USE, BEGINNING, OLD),
        ("20179", AssetState.IN_USE, OLD, date(2025, 1, 1)),
        ("20179", AssetState.BROKEN, date(2025, 1, 1), None),
    ]


def test_a_blank_cell_clears_and_a_missing_column_keeps() -> None:
    """Who leaves a column out says nothing about it."""
    cleared = assets(("PC-1", "Máy tính để bàn", "20161", "cbcc", 2018, None, None, "–", None))
    kept = read("Tài sản", (("Mã tài sản", "Loại", "Đơn vị", "Từ ngày"), ("PC-1", "laptop", "20161", "–")))

    assert cleared.estate_after.assets[0].note == ""
    (laptop,) = kept.estate_after.assets
    assert (laptop.kind, laptop.note, laptop.year, laptop.staff_group) == (
        AssetKind.LAPTOP,
        "cũ",
        2018,
        "cbcc",
    )


@pytest.mark.parametrize(
    "name",
    ["20161", "UBND xã Hương Hòa", "ubnd xã  hương hoà", "xã Hương Hòa", "Hương Hoà", "UBND XÃ HƯƠNG HÒA"],
)
def test_a_unit_is_found_by_its_name(name: str) -> None:
    """By code, by the official name, by a spelling of it, without the words before it."""
    made = assets(("X", "laptop", name, "Cán bộ, công chức", None, None, None, None, None))

    assert lines(made) == []
    (asset,) = (one for one in made.estate_after.assets if one.code == "X")
    assert (asset.unit, asset.staff_group) == ("20161", "cbcc")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Nam Đông", "2 units are called “Nam Đông”: 20179, HND; write the code instead"),
        ("Hương Hóa", "there is no unit “Hương Hóa”, similar: UBND xã Hương Hòa (20161)"),
        ("xyz", "there is no unit “xyz”; correct it, or add it to the sheet “Units”"),
    ],
)
def test_a_name_is_never_guessed(name: str, told: str) -> None:
    """Two of a name, or none: the row says so, with what looks like it."""
    made = assets(("X", "laptop", name, None, None, None, None, None, None))

    (line,) = lines(made)
    assert line.startswith("a.xlsx, sheet “Tài sản”, row 2, column “Đơn vị”: ")
    assert told in line


def test_two_entries_of_one_name_in_the_file_need_their_code() -> None:
    """Ambiguity comes from the file as well as from what there is."""
    content = book(
        {
            "Đơn vị": (
                ("Mã", "Tên", "Trực thuộc"),
                ("a", "Phòng Tư pháp", "46"),
                ("b", "Phòng Tư pháp", "HND"),
            ),
            "Tài sản": (HEADING[:3], ("X", "laptop", "Phòng Tư pháp")),
        }
    )
    made = read_files([Source("a.xlsx", content)], ESTATE, DAY)

    assert "2 units are called “Phòng Tư pháp”: a, b" in lines(made)[0]


def test_a_moved_tone_is_told_once_with_the_official_name() -> None:
    """A hundred rows are one warning."""
    rows = [(f"X{n}", "laptop", "UBND xã Hương Hoà", None, None, None, None, None, None) for n in range(100)]
    made = assets(*rows)

    (warning,) = made.warnings
    assert "row 2" in warning.line("en")
    assert "taken as “UBND xã Hương Hòa” (and 99 more rows)" in warning.line("en")


def test_the_official_name_of_a_unit_survives_another_spelling() -> None:
    """A list that writes Hoà does not rename Hòa; with its day it does."""
    heading = ("Mã", "Tên", "Loại", "Trực thuộc", "Từ ngày")
    kept = read("Đơn vị", (heading, ("20161", "UBND xã Hương Hoà", "xã", "46", None)))
    renamed = read("Đơn vị", (heading, ("20161", "UBND xã Hương Hoà", "xã", "46", "–")))

    assert kept.differences == []
    assert "the official name “UBND xã Hương Hòa” is kept" in kept.warnings[0].line("en")
    assert [one.fields for one in renamed.differences] == [
        (("name", "UBND xã Hương Hòa", "UBND xã Hương Hoà"),)
    ]


def test_odd_things_are_told_and_taken() -> None:
    """One serial number twice, a year that has not come; 'không rõ' is no serial number."""
    heading = ("Mã tài sản", "Loại", "Đơn vị", "Số sê-ri", "Năm")
    rows = [
        ("A", "laptop", "20161", "SN 1", 2027),
        ("B", "laptop", "20161", "sn 1", 2026),
        ("C", "laptop", "20161", "không rõ", None),
        ("D", "laptop", "20161", "Không rõ", None),
    ]
    made = read("Tài sản", (heading, *rows))
    told = " | ".join(warning.line("en") for warning in made.warnings)

    assert not made.refused
    assert len(made.warnings) == 2
    assert "row 3, column “Số sê-ri”: several assets have the serial number SN 1: A, B" in told
    assert "row 2, column “Năm”: the year 2027 has not come" in told


def test_good_rows_are_taken_only_when_asked() -> None:
    """All or nothing; else everything that holds without the bad ones."""
    bad = ("B", "máy bay", "20161", None, None, None, None, None, None)
    unknown = ("C", "laptop", "xyz", None, None, None, None, None, None)
    good = ("A", "laptop", "20161", None, None, None, None, None, None)
    refused = assets(good, bad, unknown)
    made = assets(good, bad, unknown, skip=True)

    assert refused.estate_after is ESTATE
    assert (refused.refused, refused.taken) == (True, 0)
    assert [problem.row for problem in refused.problems] == [3, 4]
    assert [problem.row for problem in made.problems] == [3, 4]
    assert (made.refused, made.rows, made.taken) == (False, 3, 1)
    assert [one.code for one in made.estate_after.assets] == ["PC-1", "A"]


def test_what_leans_on_a_skipped_row_is_skipped_too() -> None:
    """The unit is bad, so are its people and the unit below it; nothing refers to what is not there."""
    content = book(
        {
            "Đơn vị": (
                ("Mã", "Tên", "Trực thuộc", "Từ ngày", "Đến ngày"),
                ("x", "X", "46", "01/01/2020", "01/01/2019"),
                ("y", "Y", "x", None, None),
                ("z", "Z", "46", None, None),
            ),
            "Số cán bộ": (("Đơn vị", "Nhóm cán bộ", "Số người"), ("x", "cbcc", 3), ("z", "cbcc", 4)),
        }
    )
    made = read_files([Source("a.xlsx", content)], ESTATE, DAY, skip_bad_rows=True)

    assert not made.refused
    assert [(problem.sheet, problem.row) for problem in made.problems] == [
        ("Đơn vị", 2),
        ("Đơn vị", 3),
        ("Số cán bộ", 2),
    ]
    assert [one.unit for one in made.estate_after.staff_counts] == ["z"]
    assert made.estate_after.units[-1].code == "z"


def test_a_bad_unit_is_not_told_again_at_every_asset() -> None:
    """One slip is one line."""
    rows = [(f"X{n}", "laptop", "x") for n in range(20)]
    content = book({"Đơn vị": (("Mã", "Tên", "Thứ tự"), ("x", "X", "đầu")), "Tài sản": (HEADING[:3], *rows)})
    made = read_files([Source("a.xlsx", content)], ESTATE, DAY)

    assert len(made.problems) == 1


@pytest.mark.parametrize(
    ("title", "rows", "told"),
    [
        ("Trụ sở", (("Mã", "Tên", "Giờ làm việc"), ("T", "T", "sáng")), "row 2, column “Giờ làm việc”: "),
        (
            "Đơn vị",
            (("Mã", "Tên", "Từ ngày", "Đến ngày"), ("x", "X", "02/01/2020", "01/01/2020")),
            "column “Đến ngày”: ends on 01/01/2020, not after its first day 02/01/2020",
        ),
        (
            "Đơn vị",
            (("Mã", "Tên", "Đến ngày"), ("46", "Thành phố Huế", "01/01/2020")),
            "row 2, column “Tên”",
        ),
        (
            "Sáp nhập",
            (("Đơn vị cũ", "Đơn vị mới", "Ngày", "Hình thức"), ("20161", "20161", "01/01/2020", "Đổi tên")),
            "row 2, column “Đơn vị mới”: 20161 cannot follow itself",
        ),
        (
            "Đích đo",
            (("Mã", "Mạng", "Cách đo", "Địa chỉ"), ("d", "Dịch vụ dùng chung", "TCP", "a:1")),
            "row 2: is empty although the target proves a service; name the service",
        ),
        (
            "Ngày đặc biệt",
            (("Phạm vi", "Ngày", "Hình thức"), ("Nơi nào đó", "01/01/2020", "Nghỉ")),
            "column “Phạm vi”: there is no unit or site “Nơi nào đó”",
        ),
    ],
)
def test_a_contradiction_is_told_at_its_row(title: str, rows: Rows, told: str) -> None:
    """Whatever the checks of the estate find stands at the row that brought it."""
    made = read(title, rows)

    if told == "row 2, column “Tên”":
        assert all("46 is not there all the time" in line for line in lines(made))
        assert lines(made)
        return
    (line,) = lines(made)
    assert told in line


def test_every_contradiction_is_told_in_vietnamese() -> None:
    """A new check without a sentence of its own would speak English to everybody."""
    assert set(judging._TOLD_VI) == set(CODES)
    for code, (cause, next_step) in judging._TOLD_VI.items():
        names = {
            "times",
            "valid_from",
            "valid_to",
            "until",
            "value",
            "noun",
            "parent",
            "units",
            "unit",
            "on",
            "reason",
        }
        assert cause.format_map(dict.fromkeys(names, "x")), code
        assert next_step


def test_every_kind_of_row_comes_in_by_name() -> None:
    """One workbook with all sheets, by names and labels."""
    content = book(
        {
            "Trụ sở": (("Mã trụ sở", "Tên trụ sở"), ("TS-2", "Trụ sở mới")),
            "Trụ sở - Đơn vị": (("Trụ sở", "Đơn vị"), ("Trụ sở mới", "UBND xã Nam Đông")),
            "Đường truyền": (
                ("Mã", "Trụ sở", "Loại", "Tải xuống", "Tải lên", "Thiết yếu", "Tính dung lượng"),
                ("L1", "Trụ sở mới", "cáp quang", "35,5 Mbps", "1.000", "x", "không"),
            ),
            "Ngày đặc biệt": (
                ("Phạm vi", "Ngày", "Hình thức", "Lý do"),
                (None, "21/02/2026", "Làm bù", "Tết"),
                ("trụ sở: Trụ sở mới", "22/02/2026", "Nghỉ", None),
                ("Huyện Nam Đông", "22/02/2026", "Nghỉ", None),
            ),
            "Sáp nhập": (
                ("Đơn vị cũ", "Đơn vị mới", "Ngày", "Hình thức", "Nghị quyết"),
                ("Huyện Nam Đông", "UBND xã Nam Đông", "1/7/2025", "sáp nhập", "1314"),
            ),
            "Đơn vị": (
                ("Mã", "Tên", "Loại", "Trực thuộc", "Đến ngày"),
                ("HND", "Huyện Nam Đông", "huyện", "Huế", "1/7/2025"),
            ),
        }
    )  # fmt: skip
    made = read_files([Source("a.xlsx", content)], ESTATE, DAY)
    after = made.estate_after

    assert lines(made) == []
    assert after.site_units[-1] == SiteUnit("TS-2", "20179")
    assert after.links == (Link("L1", "TS-2", LinkKind.FTTH, down_mbps=35.5, up_mbps=1000.0),)
    assert [(day.scope, day.kind) for day in after.special_days] == [
        ("", DayKind.WORKED),
        ("site:TS-2", DayKind.CLOSED),
        ("unit:HND", DayKind.CLOSED),
    ]
    assert after.successions == (Succession("HND", "20179", date(2025, 7, 1), SuccessionKind.MERGE, "1314"),)


def test_differences_are_told_in_both_languages() -> None:
    """As sentences a person reads, with names of values, days and numbers as in Vietnam."""
    changed = assets(("PC-1", "laptop", "20179", None, 2019, "hỏng", "cũ", "–", None))
    ended = assets((*SAME[:-1], "01/01/2030"))
    new = read(
        "Đường truyền",
        (("Mã", "Trụ sở", "Loại", "Tải xuống", "Từ ngày"), ("L", "TS-1", "ftth", "92,5", "1/2/2020")),
    )

    assert [sentence(one, "vi") for one in changed.differences] == [
        "sửa tài sản PC-1: Loại “Máy tính để bàn” → “Máy tính xách tay”, Đơn vị “20161” → “20179”, "
        "Nhóm cán bộ “cbcc” → (trống), Năm “2018” → “2019”, Tình trạng “Đang sử dụng” → “Hỏng”"
    ]
    assert sentence(ended.differences[0], "vi") == "sửa tài sản PC-1: Đến ngày (trống) → “01/01/2030”"
    assert sentence(ended.differences[0], "en") == "changed asset PC-1: Until (blank) → “01/01/2030”"
    assert sentence(new.differences[0], "vi") == (
        "thêm đường truyền L từ 01/02/2020: Trụ sở “TS-1”, Loại “Cáp quang (FTTH)”, Tải xuống (Mbit/s) “92,5”"
    )
    assert summary(new.differences, "en") == "Links: 1 added"
    assert summary([], "vi") == "không có gì thay đổi"
    removed = difference(ESTATE, Estate(units=ESTATE.units))
    assert "bỏ tài sản PC-1" in [sentence(one, "vi") for one in removed]


def test_ten_thousand_assets_are_planned_in_seconds() -> None:
    """Read, checked and compared; and once more when nothing changes."""
    whole = province(40, 250)
    content = workbook(whole)
    for before, changes in ((Estate(), True), (whole, False)):
        began = time.process_time()
        made = read_files([Source("a.xlsx", content)], before, DAY)

        assert time.process_time() - began < 10
        assert not made.refused
        assert bool(made.differences) is changes
    assert len(made.estate_after.assets) == 10_000


def test_the_history_of_nam_dong_is_one_workbook() -> None:
    """Eleven communes through three reorganisations come out of an export as they went in."""
    estate = nam_dong()
    made = read_files([Source("a.xlsx", workbook(estate))], Estate(), DAY)

    assert lines(made) == []
    assert difference(estate, made.estate_after) == []
