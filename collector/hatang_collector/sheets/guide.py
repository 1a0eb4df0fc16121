"""The first tab of a workbook: how it is filled in, and what every column means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from hatang_collector.sheets.contract import Sheet
from hatang_collector.sheets.said import Language, Said

Style = Literal["title", "text", "heading", "row"]

_TITLE = Said("Khai báo hạ tầng: cách điền", "Declaring the estate: how to fill it in")
_RULES = (
    Said(
        "Mỗi trang là một bảng; trang nào không dùng thì để trống hoặc xóa đi. Không đổi tên cột.",
        "Every tab is a table; leave those empty that you do not need. Do not rename the columns.",
    ),
    Said(
        "Dòng bắt đầu bằng “Ví dụ” chỉ để minh họa, khi nhập sẽ được bỏ qua.",
        "Rows that begin with “Example:” only show how it is done and are skipped.",
    ),
    Said(
        "Cột tham chiếu (đơn vị, trụ sở, nhóm cán bộ …) ghi mã, hoặc tên nếu chỉ có một nơi mang tên đó.",
        "Where a row refers to a unit, site or staff group, write its code, or its name if only one has it.",
    ),
    Said(
        "Ngày ghi ngày/tháng/năm. Số thập phân dùng dấu phẩy. Không gộp ô, không dùng công thức.",
        "Days are dd/mm/yyyy. No merged cells, no formulas.",
    ),
    Said(
        "“Từ ngày” để trống: dòng mới là từ trước đến nay; dòng đã có mà thay đổi thì tính từ ngày nhập; "
        "ghi đúng ngày của dòng đã có là sửa lại dòng đó. Dấu – là từ trước đến nay.",
        "“From” blank: a new row has always been so, a change of a known row holds from the day of the "
        "import; with the day of a known row it corrects that row. A dash means always.",
    ),
    Said(
        "Ô để trống của dòng đã có nghĩa là xóa giá trị đó; bỏ hẳn cột thì giữ nguyên giá trị.",
        "A blank cell of a known row clears the value; without the column the value stays.",
    ),
    Said(
        "Xem trước khi nhập: hatang-collector import khai-bao.xlsx --dry-run",
        "See first what would change: hatang-collector import khai-bao.xlsx --dry-run",
    ),
)
_HEADINGS = Said("Trang|Cột|Bắt buộc|Cách điền", "Sheet|Column|Required|What to fill in")


def guide_rows(chosen: Sequence[Sheet], language: Language) -> Iterator[tuple[Style, tuple[str, ...]]]:
    """The rows of the guide with their style."""
    yield "title", (_TITLE.of(language),)
    for rule in _RULES:
        yield "text", (rule.of(language),)
    yield "text", ("",)
    yield "heading", tuple(_HEADINGS.of(language).split("|"))
    for sheet in chosen:
        help_text = sheet.help_vi if language == "vi" else sheet.help_en
        yield "row", (sheet.title(language), "", "", help_text)
        for column in sheet.columns:
            must = ("có", "yes")[language == "en"] if column.required else ""
            yield "row", ("", column.title(language), must, column.help(language))
