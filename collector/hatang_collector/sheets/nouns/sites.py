"""The sheet of sites."""

from __future__ import annotations

from typing import Final

from hatang_collector.domain.estate import Site
from hatang_collector.sheets.contract import PERIOD, Column, Kind, Sheet

SHEET: Final = Sheet(
    name="tru-so",
    noun="sites",
    row=Site,
    title_vi="Trụ sở",
    title_en="Sites",
    one_vi="trụ sở",
    one_en="site",
    help_vi="Mỗi tòa nhà có mạng nội bộ riêng là một trụ sở.",
    help_en="Every building with a network of its own is a site.",
    also=("Danh sách trụ sở",),
    columns=(
        Column(
            "code",
            "Mã trụ sở",
            "Code",
            Kind.CODE,
            required=True,
            help_vi="Mã do đơn vị tự đặt, không trùng.",
            help_en="A code of your own, used once.",
            example="TS-KHETRE",
            width=16,
            also=("Mã", "Site code"),
        ),
        Column(
            "name",
            "Tên trụ sở",
            "Name",
            required=True,
            help_vi="Tên để nhận ra trụ sở trên bảng.",
            help_en="The name on the board.",
            example="Trụ sở UBND xã Khe Tre",
            width=36,
            also=("Trụ sở", "Tên"),
        ),
        Column(
            "address",
            "Địa chỉ",
            "Address",
            help_vi="Địa chỉ bưu chính.",
            help_en="Postal address.",
            example="Đường Khe Tre",
            width=36,
        ),
        Column(
            "hours",
            "Giờ làm việc",
            "Hours",
            help_vi="Ví dụ: T2-T6 07:30-11:30 13:30-17:00; T7 07:30-11:30. Để trống: giờ hành chính thường.",
            help_en="Such as: T2-T6 07:30-11:30 13:30-17:00. Blank: the ordinary week.",
            example="T2-T6 07:30-11:30 13:30-17:00",
            width=34,
        ),
        *PERIOD,
    ),
)
