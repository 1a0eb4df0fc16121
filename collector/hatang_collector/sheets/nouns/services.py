"""The sheet of shared services."""

from __future__ import annotations

from typing import Final

from hatang_collector.domain.estate import Service
from hatang_collector.sheets.contract import PERIOD, Column, Kind, Sheet

SHEET: Final = Sheet(
    name="dich-vu",
    noun="services",
    row=Service,
    title_vi="Dịch vụ dùng chung",
    title_en="Services",
    one_vi="dịch vụ dùng chung",
    one_en="service",
    help_vi="Phần mềm dùng chung mà các đơn vị truy cập.",
    help_en="Shared programs that offices use.",
    also=("Dịch vụ", "Phần mềm dùng chung"),
    columns=(
        Column(
            "code",
            "Mã dịch vụ",
            "Code",
            Kind.CODE,
            required=True,
            help_vi="Mã do đơn vị tự đặt.",
            help_en="A code of your own.",
            example="qlvb",
            width=16,
            also=("Mã",),
        ),
        Column(
            "name",
            "Tên dịch vụ",
            "Name",
            required=True,
            help_vi="Tên phần mềm.",
            help_en="The name of the program.",
            example="Quản lý văn bản và điều hành",
            width=36,
            also=("Dịch vụ", "Tên"),
        ),
        Column(
            "owner",
            "Chủ quản",
            "Owner",
            help_vi="Cơ quan vận hành.",
            help_en="Who runs it.",
            example="Sở Khoa học và Công nghệ",
            width=30,
            also=("Đơn vị chủ quản",),
        ),
        *PERIOD,
    ),
)
