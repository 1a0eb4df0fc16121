"""The sheet of how many people a unit has."""

from __future__ import annotations

from typing import Final

from hatang_collector.domain.estate import StaffCount
from hatang_collector.sheets.contract import PERIOD, Column, Kind, Sheet

SHEET: Final = Sheet(
    name="so-can-bo",
    noun="staff_counts",
    row=StaffCount,
    title_vi="Số cán bộ",
    title_en="Staff counts",
    one_vi="số cán bộ",
    one_en="staff count",
    help_vi="Số người của từng nhóm ở từng đơn vị: chỉ số lượng, không ghi họ tên.",
    help_en="How many people of a group a unit has: numbers only, no names.",
    also=("Biên chế", "Số lượng cán bộ"),
    columns=(
        Column(
            "unit",
            "Đơn vị",
            "Unit",
            Kind.REFERENCE,
            required=True,
            refers="units",
            help_vi="Mã hoặc tên đơn vị.",
            help_en="Code or name of the unit.",
            example="20161",
            width=24,
            also=("Mã đơn vị", "Tên đơn vị"),
        ),
        Column(
            "staff_group",
            "Nhóm cán bộ",
            "Staff group",
            Kind.REFERENCE,
            required=True,
            refers="staff_groups",
            help_vi="Mã hoặc tên nhóm.",
            help_en="Code or name of the group.",
            example="cbcc",
            width=24,
            also=("Nhóm", "Mã nhóm"),
        ),
        Column(
            "people",
            "Số người",
            "People",
            Kind.INTEGER,
            required=True,
            help_vi="Số người.",
            help_en="How many people.",
            example=22,
            width=10,
            also=("Số lượng", "Số cán bộ"),
        ),
        Column(
            "document",
            "Văn bản",
            "Document",
            help_vi="Văn bản giao biên chế hoặc báo cáo.",
            help_en="The document that says so.",
            example="54/KH-ĐKT",
            width=24,
            also=("Số văn bản", "Quyết định"),
        ),
        *PERIOD,
    ),
)
