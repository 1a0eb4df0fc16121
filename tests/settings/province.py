"""A small estate: a province, two communes, two sites, and machines placed in them."""

from __future__ import annotations

from datetime import date
from typing import Any

from hatang_collector.domain.estate import Estate, Placement, Site, SiteUnit, Unit
from hatang_collector.ledger import estate, node_settings, placements
from hatang_collector.ledger.engine import Ledger

NOW_MS = 1_795_137_960_000
"""20/11/2026 in Vietnam."""
DAY = date(2026, 11, 20)
PROVINCE = Unit("46", "Thành phố Huế", "thành phố")
COMMUNE = Unit("20014", "Xã Quảng Điền", "xã", parent="46")
WARD = Unit("20015", "Phường Thuận Hóa", "phường", parent="46", position=2)
ESTATE = Estate(
    units=(PROVINCE, COMMUNE, WARD),
    sites=(Site("qd1", "Trụ sở UBND xã Quảng Điền"), Site("th1", "Trụ sở phường Thuận Hóa")),
    site_units=(SiteUnit("qd1", "20014"), SiteUnit("th1", "20015")),
)


def found(ledger: Ledger, wanted: Estate = ESTATE) -> None:
    """Put an estate into a ledger."""
    estate.edit(ledger, lambda _before: wanted, who="admin", role="admin", now_ms=NOW_MS)


def place(ledger: Ledger, agent: str, site: str = "qd1", unit: str = "") -> None:
    """Say where a machine stands."""
    with ledger.write() as c:
        placements.put(c, Placement(agent, NOW_MS, unit, site))


def put(ledger: Ledger, scope: str, key: str, value: Any, role: str = "") -> None:
    """Set a key at a node."""
    with ledger.write() as c:
        node_settings.put(c, scope, role, key, value, who="admin", now_ms=NOW_MS)


def drop(ledger: Ledger, scope: str, key: str, role: str = "") -> None:
    """Take a key back at a node."""
    with ledger.write() as c:
        node_settings.drop(c, scope, role, key)
