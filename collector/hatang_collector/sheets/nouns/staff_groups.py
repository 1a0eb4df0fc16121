"""The sheet of staff groups."""

from __future__ import annotations

from typing import Final

from hatang_collector.domain.estate import StaffGroup
from hatang_collector.sheets.contract import Column, Kind, Sheet

SHEET: Final = Sheet(
    name="nhom-can-bo",
    noun="staff_groups",
    row=StaffGroup,
    title_vi="Nhóm cán bộ",
    title_en="Staff groups",
    one_vi="nhóm cán bộ",
    one_en="staff group",
    help_vi="Các nhóm mà máy tính được đếm chung.",
    help_en="Groups whose computers are counted together.",
    columns=(
        Column(
            "code",
            "Mã nhóm",
            "Code",
            Kind.CODE,
            required=True,
            help_vi="Mã ngắn, không dấu.",
            help_en="A short code.",
            example="cbcc",
            width=18,
            also=("Mã",),
        ),
        Column(
            "name",
            "Tên nhóm",
            "Name",
            required=True,
            help_vi="Tên in trên báo cáo.",
            help_en="The name on reports.",
            example="Cán bộ, công chức",
            width=36,
            also=("Nhóm cán bộ", "Tên"),
        ),
        Column(
            "position",
            "Thứ tự",
            "Position",
            Kind.INTEGER,
            help_vi="Số thứ tự trong bảng biểu.",
            help_en="Its number in tables.",
            example=1,
            width=8,
            also=("STT", "TT"),
        ),
    ),
)
