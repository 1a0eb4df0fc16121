"""The sheet of which unit works where."""

from __future__ import annotations

from typing import Final

from hatang_collector.domain.estate import SiteUnit
from hatang_collector.sheets.contract import PERIOD, Column, Kind, Sheet

SHEET: Final = Sheet(
    name="tru-so-don-vi",
    noun="site_units",
    row=SiteUnit,
    title_vi="Trụ sở - Đơn vị",
    title_en="Sites and units",
    one_vi="việc bố trí",
    one_en="occupation",
    help_vi="Đơn vị nào làm việc ở trụ sở nào; nhiều đơn vị chung một trụ sở thì mỗi đơn vị một dòng.",
    help_en="Which unit works at which site; a shared site has a row for every unit.",
    also=("Đơn vị tại trụ sở", "Bố trí trụ sở", "Đơn vị - Trụ sở"),
    columns=(
        Column(
            "site",
            "Trụ sở",
            "Site",
            Kind.REFERENCE,
            required=True,
            refers="sites",
            help_vi="Mã hoặc tên trụ sở.",
            help_en="Code or name of the site.",
            example="TS-KHETRE",
            width=24,
            also=("Mã trụ sở",),
        ),
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
            also=("Mã đơn vị",),
        ),
        *PERIOD,
    ),
)
