"""The sheet of what became of units."""

from __future__ import annotations

from datetime import date
from typing import Final

from hatang_collector.domain.estate import Succession, SuccessionKind
from hatang_collector.sheets.contract import Column, Kind, Sheet

SHEET: Final = Sheet(
    name="sap-nhap",
    noun="successions",
    row=Succession,
    title_vi="Sáp nhập",
    title_en="Successions",
    one_vi="việc kế thừa",
    one_en="succession",
    help_vi="Đơn vị nào nối tiếp đơn vị nào. Đơn vị cũ phải có “Đến ngày” là ngày này trên trang Đơn vị.",
    help_en="Which unit follows which. On the sheet of units the old one ends on this day.",
    also=("Kế thừa", "Sắp xếp đơn vị", "Sáp nhập, chia tách"),
    columns=(
        Column(
            "old",
            "Đơn vị cũ",
            "Old unit",
            Kind.REFERENCE,
            required=True,
            refers="units",
            help_vi="Mã hoặc tên đơn vị cũ.",
            help_en="Code or name of the old unit.",
            example="20173",
            width=24,
        ),
        Column(
            "new",
            "Đơn vị mới",
            "New unit",
            Kind.REFERENCE,
            required=True,
            refers="units",
            help_vi="Mã hoặc tên đơn vị mới; sáp nhập nhiều đơn vị thì mỗi đơn vị cũ một dòng.",
            help_en="Code or name of the new unit; a merger has a row for every old one.",
            example="20176",
            width=24,
        ),
        Column(
            "on",
            "Ngày",
            "On",
            Kind.DAY,
            required=True,
            help_vi="Ngày có hiệu lực, ngày/tháng/năm.",
            help_en="The day it takes effect, dd/mm/yyyy.",
            example=date(2020, 1, 1),
            width=12,
            also=("Ngày hiệu lực", "Từ ngày"),
        ),
        Column(
            "kind",
            "Hình thức",
            "Kind",
            Kind.CHOICE,
            required=True,
            choices=SuccessionKind,
            help_vi="Sáp nhập, chia tách, đổi tên hoặc chuyển.",
            help_en="Merger, split, renaming or move.",
            example="Sáp nhập",
            width=14,
            also=("Loại",),
        ),
        Column(
            "document",
            "Văn bản",
            "Document",
            help_vi="Số, ký hiệu văn bản.",
            help_en="Number of the decision.",
            example="834/NQ-UBTVQH14",
            width=24,
            also=("Nghị quyết", "Quyết định", "Số văn bản"),
        ),
    ),
)
