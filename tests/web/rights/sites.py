"""Rights of the board of sites and of the API of sites, units and figures."""

from __future__ import annotations

from dataclasses import replace

from hatang_collector.domain.estate import Estate, Site, SiteUnit, Unit
from hatang_collector.ledger import estate as estates
from web.rights import API, PAGE, Table
from web.webkit import World

TABLE: Table = {
    ("GET", "/"): ("/", None, PAGE),
    ("GET", "/board/sites/cards"): ("/board/sites/cards", None, API),
    ("GET", "/board/sites/events"): ("/board/sites/events", None, API),
    ("GET", "/sites/{code:path}/machines"): ("/sites/rights-site/machines", None, PAGE),
    ("GET", "/api/v1/sites"): ("/api/v1/sites", None, API),
    ("GET", "/api/v1/sites/{code:path}"): ("/api/v1/sites/rights-site", None, API),
    ("GET", "/api/v1/units"): ("/api/v1/units", None, API),
    ("GET", "/api/v1/units/{code:path}/figures"): ("/api/v1/units/rights-unit/figures", None, API),
}


def prepare(world: World) -> None:
    """A unit at a site."""

    def with_site(estate: Estate) -> Estate:
        return replace(
            estate,
            units=(*estate.units, Unit("rights-unit", "UBND xã Một")),
            sites=(*estate.sites, Site("rights-site", "Trụ sở Một")),
            site_units=(*estate.site_units, SiteUnit("rights-site", "rights-unit")),
        )

    estates.edit(world.ledger, with_site, who="test", role="admin", now_ms=world.clock())
