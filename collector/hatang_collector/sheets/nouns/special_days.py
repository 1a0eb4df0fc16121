"""The sheet of days that differ from the working week."""

from __future__ import annotations

from datetime import date
from typing import Final

from hatang_collector.domain.estate import DayKind, SpecialDay
from hatang_collector.sheets.contract import Column, Kind, Sheet

SHEET: Final = Sheet(
    name="ngay-dac-biet",
    noun="special_days",
    row=SpecialDay,
    title_vi="Ngày đặc biệt",
    title_en="Special days",
    one_vi="ngày đặc biệt",
    one_en="special day",
    help_vi="Ngày nghỉ hoặc làm bù khác lịch thường. Ngày lễ, Tết theo luật đã có sẵn.",
    help_en="Days off or worked besides the calendar. Public holidays are known already.",
    also=("Ngày nghỉ", "Ngày nghỉ, làm bù"),
    columns=(
        Column(
            "scope",
            "Phạm vi",
            "Scope",
            Kind.SCOPE,
            help_vi="Để trống: mọi nơi. Hoặc “đơn vị: mã/tên” (cả đơn vị trực thuộc), “trụ sở: mã/tên”.",
            help_en="Blank: everywhere. Or “unit: code or name” (with all below it), “site: code or name”.",
            example="đơn vị: 20161",
            width=24,
            also=("Áp dụng cho",),
        ),
        Column(
            "day",
            "Ngày",
            "Day",
            Kind.DAY,
            required=True,
            help_vi="Ngày/tháng/năm.",
            help_en="dd/mm/yyyy.",
            example=date(2026, 2, 21),
            width=12,
        ),
        Column(
            "kind",
            "Hình thức",
            "Kind",
            Kind.CHOICE,
            required=True,
            choices=DayKind,
            help_vi="Nghỉ hoặc làm việc.",
            help_en="Closed or worked.",
            example="Làm việc",
            width=12,
            also=("Loại",),
        ),
        Column(
            "name",
            "Lý do",
            "Reason",
            help_vi="Lý do, ví dụ “làm bù Tết”.",
            help_en="Why.",
            example="Làm bù Tết",
            width=30,
            also=("Tên", "Nội dung"),
        ),
    ),
)
