"""Estates to test with: Nam Đông through three reorganisations, and a province of today.

Names, mergers and days are those of the sources (huyện Nam Đông, 2015 to 2025). The numbers of people
and things are invented, the same on every run; so are the codes, except those of today's units.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from hatang_collector.domain import edits
from hatang_collector.domain.estate import (
    STAFF_GROUPS,
    Asset,
    AssetKind,
    AssetState,
    DayKind,
    Estate,
    Link,
    LinkKind,
    Method,
    Network,
    Service,
    Site,
    SiteUnit,
    SpecialDay,
    StaffCount,
    SuccessionKind,
    Target,
    Unit,
)

COMMUNES: Final = (
    ("ND01", "thị trấn", "Khe Tre"),
    ("ND02", "xã", "Hương Phú"),
    ("ND03", "xã", "Hương Giang"),
    ("ND04", "xã", "Hương Lộc"),
    ("ND05", "xã", "Hương Sơn"),
    ("ND06", "xã", "Hương Hữu"),
    ("ND07", "xã", "Hương Hòa"),
    ("ND08", "xã", "Thượng Long"),
    ("ND09", "xã", "Thượng Nhật"),
    ("ND10", "xã", "Thượng Quảng"),
    ("ND11", "xã", "Thượng Lộ"),
)
"""The eleven communes in their official order (STT)."""

PROVINCE: Final = "46"
DISTRICT: Final = "HND"
NEXT_DISTRICT: Final = "HPL"
HUONG_XUAN: Final = "ND12"
MERGED: Final = date(2020, 1, 1)
DISTRICTS_MERGED: Final = date(2025, 1, 1)
TWO_TIERS: Final = date(2025, 7, 1)
ASSUMED: Final = "giả định của bộ dữ liệu thử"
"""The document of the successions of which no source says which old commune went where."""

TODAY: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("20161", "Khe Tre", ("ND01", "ND02", "ND04", "ND11")),
    ("20179", "Nam Đông", (HUONG_XUAN, "ND05", "ND09")),
    ("20182", "Long Quảng", ("ND06", "ND08", "ND10")),
)
"""The communes since 01/07/2025, and which of the old ones are assumed to have gone there."""


def nam_dong() -> Estate:
    """Nam Đông from 2015 until today: 11 communes, then 10, then under Phú Lộc, then 3 under Huế."""
    estate = Estate(staff_groups=STAFF_GROUPS)
    estate = edits.put_all(
        estate,
        (
            Unit(PROVINCE, "Tỉnh Thừa Thiên Huế", "tỉnh", position=1),
            Unit(PROVINCE, "Thành phố Huế", "thành phố", position=1, valid_from=DISTRICTS_MERGED),
            Unit(DISTRICT, "Huyện Nam Đông", "huyện", PROVINCE, 1),
            Unit(NEXT_DISTRICT, "Huyện Phú Lộc", "huyện", PROVINCE, 2),
            Unit(
                "HND-VP", "Văn phòng HĐND và UBND huyện", "văn phòng", DISTRICT, 21, valid_to=DISTRICTS_MERGED
            ),
            Unit("HND-VH", "Phòng Văn hóa và Thông tin", "phòng", DISTRICT, 22, valid_to=DISTRICTS_MERGED),
            Site("TS-HND", "Trụ sở UBND huyện Nam Đông", "Thị trấn Khe Tre", valid_to=DISTRICTS_MERGED),
            SiteUnit("TS-HND", "HND-VP", valid_to=DISTRICTS_MERGED),
            SiteUnit("TS-HND", "HND-VH", valid_to=DISTRICTS_MERGED),
            Link("HND-WAN", "TS-HND", LinkKind.LEASED, "VNPT", 35.0, 35.0, valid_to=DISTRICTS_MERGED),
            StaffCount("HND-VP", "cbcc", 24, valid_to=DISTRICTS_MERGED),
            StaffCount("HND-VH", "cbcc", 6, valid_to=DISTRICTS_MERGED),
            Service("QLVB", "Quản lý văn bản và điều hành", "Sở TT&TT"),
            Target("CPNET-1", Network.CPNET, Method.ICMP, "10.46.0.1"),
            Target("NET-1", Network.INTERNET, Method.TCP, "1.1.1.1:443"),
            Target("QLVB-1", Network.SERVICE, Method.HTTP, "https://qlvb.example.vn/", "QLVB", PROVINCE),
            SpecialDay("", date(2025, 8, 30), DayKind.WORKED, "Làm bù"),
            SpecialDay("site:TS-ND01", date(2015, 4, 20), DayKind.CLOSED, "Mất điện theo kế hoạch"),
        ),
    )
    for number, (code, kind, name) in enumerate(COMMUNES, 1):
        estate = edits.put_all(estate, _commune(number, code, kind, name))
    estate = edits.succeed(
        estate,
        ["ND03", "ND07"],
        [Unit(HUONG_XUAN, "UBND xã Hương Xuân", "xã", DISTRICT, 3)],
        SuccessionKind.MERGE,
        MERGED,
        "834/NQ-UBTVQH14",
    )
    estate = edits.succeed(
        estate,
        [DISTRICT],
        [Unit(NEXT_DISTRICT, "Huyện Phú Lộc", "huyện", PROVINCE, 2)],
        SuccessionKind.MERGE,
        DISTRICTS_MERGED,
        "1314/NQ-UBTVQH15",
    )
    for number, (code, name, olds) in enumerate(TODAY, 1):
        new = Unit(code, f"UBND xã {name}", "xã", PROVINCE, number)
        estate = edits.succeed(estate, olds, [new], SuccessionKind.MERGE, TWO_TIERS, ASSUMED)
    return edits.end(estate, Unit, NEXT_DISTRICT, TWO_TIERS)


def _commune(number: int, code: str, kind: str, name: str) -> list[edits.Row]:
    """A commune with its building, two lines, people and things; more of everything further down."""
    site = f"TS-{code}"
    fast = name in {"Hương Giang", "Thượng Long", "Thượng Quảng"}
    rows: list[edits.Row] = [
        Unit(code, f"UBND {kind} {name}", kind, DISTRICT, number),
        Site(site, f"Trụ sở UBND {kind} {name}", name),
        SiteUnit(site, code),
        Link(
            f"{code}-CPNET", site, LinkKind.CPNET, "VNPT", 20.0, 20.0, f"HD-{number:02}/2014", reports=False
        ),
        Link(f"{code}-FTTH", site, LinkKind.FTTH, "Viettel", 12.0, 6.0, essential=False),
        StaffCount(code, "cbcc", 16 + number % 5),
        StaffCount(code, "ban_chuyen_trach", 8 + number % 4),
    ]
    if fast:
        since = date(2015, 3, 1)
        rows.append(
            Link(
                f"{code}-FTTH", site, LinkKind.FTTH, "Viettel", 35.0, 35.0, essential=False, valid_from=since
            )
        )
    things = [AssetKind.DESKTOP] * (12 + number % 4) + [AssetKind.LAPTOP] * 3 + [AssetKind.PRINTER] * 4
    things += [AssetKind.ROUTER, AssetKind.SWITCH, AssetKind.SCANNER, AssetKind.KIOSK]
    rows += _assets(code, site, things)
    return rows


def _assets(unit: str, site: str, kinds: list[AssetKind]) -> list[Asset]:
    assets = []
    for number, kind in enumerate(kinds, 1):
        group = ""
        if kind in {AssetKind.DESKTOP, AssetKind.LAPTOP}:
            group = "ban_chuyen_trach" if number % 4 == 0 else "cbcc"
        state = AssetState.BROKEN if number % 11 == 0 else AssetState.IN_USE
        label = f"{unit}-{number:02}"
        serial = f"SN{unit}{number:04}"
        year = 2010 + number % 9
        code = f"TS.{unit}.{number:03}"
        assets.append(Asset(code, kind, unit, site, group, label, "", serial, f"P{number % 6}", year, state))
    return assets


def province(communes: int = 40, each: int = 25) -> Estate:
    """A two-tier province of today: invented names, ``communes`` communes with ``each`` assets."""
    top = Unit("98", "Tỉnh Thử Nghiệm", "tỉnh", position=1, valid_from=TWO_TIERS)
    rows: list[edits.Row] = [top]
    kinds = (AssetKind.DESKTOP, AssetKind.DESKTOP, AssetKind.LAPTOP, AssetKind.PRINTER, AssetKind.ROUTER)
    for number in range(1, communes + 1):
        code = f"{98000 + number}"
        site = f"TS-{code}"
        kind = "phường" if number % 5 == 0 else "xã"
        name = f"UBND {kind} Thử Nghiệm {number:02}"
        rows += [
            Unit(code, name, kind, top.code, number, valid_from=TWO_TIERS),
            Site(site, f"Trụ sở {name}"),
            SiteUnit(site, code, TWO_TIERS),
            Link(f"{code}-TSLCD", site, LinkKind.CPNET, "VNPT", 200.0, 200.0, f"HD-{number:03}/2025"),
            Link(
                f"{code}-FTTH",
                site,
                LinkKind.FTTH,
                ("Viettel", "FPT")[number % 2],
                300.0,
                150.0,
                essential=False,
            ),
            StaffCount(code, "cbcc", 30 + number % 13, valid_from=TWO_TIERS),
            StaffCount(code, "ban_chuyen_trach", 6 + number % 7, valid_from=TWO_TIERS),
            *_assets(code, site, [kinds[one % len(kinds)] for one in range(each)]),
        ]
    return edits.put_all(Estate(staff_groups=STAFF_GROUPS), rows)
