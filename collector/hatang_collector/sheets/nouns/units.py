"""The sheet of units."""

from __future__ import annotations

from typing import Final

from hatang_collector.domain.estate import Unit
from hatang_collector.sheets.contract import PERIOD, Column, Kind, Sheet

SHEET: Final = Sheet(
    name="don-vi",
    noun="units",
    row=Unit,
    title_vi="Đơn vị",
    title_en="Units",
    one_vi="đơn vị",
    one_en="unit",
    help_vi="Cây đơn vị hành chính: mỗi dòng một đơn vị, đơn vị cấp trên ghi ở cột “Trực thuộc”.",
    help_en="The tree of administrative bodies: one row each, the superior body in “Parent”.",
    also=("Danh sách đơn vị", "Danh mục đơn vị"),
    columns=(
        Column(
            "code",
            "Mã đơn vị",
            "Code",
            Kind.CODE,
            required=True,
            help_vi="Mã chính thức nếu có (QĐ 19/2025/QĐ-TTg: tỉnh 2 chữ số, xã 5 chữ số), không dùng lại.",
            help_en="The official code where there is one; never used again for another unit.",
            example="20161",
            width=14,
            also=("Mã", "Mã ĐVHC", "Unit code"),
        ),
        Column(
            "name",
            "Tên đơn vị",
            "Name",
            required=True,
            help_vi="Tên chính thức, gõ đúng chính tả: tên này được in trên báo cáo.",
            help_en="The official name, as it is printed on reports.",
            example="UBND xã Khe Tre",
            width=36,
            also=("Đơn vị", "Tên"),
        ),
        Column(
            "kind",
            "Loại",
            "Kind",
            help_vi="Nhãn: tỉnh, thành phố, xã, phường, phòng, sở …",
            help_en="A label: province, commune, ward, department …",
            example="xã",
            width=12,
            also=("Cấp", "Loại đơn vị"),
        ),
        Column(
            "parent",
            "Trực thuộc",
            "Parent",
            Kind.REFERENCE,
            refers="units",
            help_vi="Mã hoặc tên đơn vị cấp trên; để trống nếu là đơn vị cao nhất.",
            help_en="Code or name of the superior unit; blank for the topmost one.",
            example="46",
            width=24,
            also=("Đơn vị cấp trên", "Cấp trên", "Mã đơn vị cấp trên"),
        ),
        Column(
            "position",
            "Thứ tự",
            "Position",
            Kind.INTEGER,
            help_vi="Số thứ tự trong bảng biểu.",
            help_en="Its number in official tables.",
            example=1,
            width=8,
            also=("STT", "TT", "Order"),
        ),
        *PERIOD,
    ),
)
