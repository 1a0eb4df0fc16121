"""Rights of adding an office and of the page of a site."""

from __future__ import annotations

from dataclasses import replace

from hatang_collector.domain.estate import Estate, Link, LinkKind, Site, SiteUnit, Unit
from hatang_collector.ledger import estate as estates
from web.rights import ADMIN_FORM, ADMIN_PAGE, PAGE, Table
from web.webkit import World

SITE = "quyen-han"

TABLE: Table = {
    ("GET", "/offices/new"): ("/offices/new", None, ADMIN_PAGE),
    ("POST", "/offices/new"): ("/offices/new", {"unit_how": "new"}, (303, 403, 403, 400, 303)),
    ("GET", "/sites/{code:path}"): (f"/sites/{SITE}", None, PAGE),
    ("GET", "/sites/{code:path}/arrivals"): (f"/sites/{SITE}/arrivals", None, PAGE),
    ("POST", "/sites/{code:path}/links"): (
        f"/sites/{SITE}/links",
        {"code": f"{SITE}-ftth", "day": "01/02/2026", "link1_kind": "ftth"},
        ADMIN_FORM,
    ),
    ("POST", "/sites/{code:path}/tokens"): (
        f"/sites/{SITE}/tokens",
        {"probe": "on"},
        (303, 403, 403, 201, 303),
    ),
}


def prepare(world: World) -> None:
    """A site with a link, beside what other areas put in place."""

    def change(estate: Estate) -> Estate:
        return replace(
            estate,
            units=(*estate.units, Unit(SITE, "Đơn vị thử quyền")),
            sites=(*estate.sites, Site(SITE, "Trụ sở thử quyền")),
            site_units=(*estate.site_units, SiteUnit(SITE, SITE)),
            links=(*estate.links, Link(f"{SITE}-ftth", SITE, LinkKind.FTTH)),
        )

    estates.edit(world.ledger, change, who="test", role="admin", now_ms=world.clock())
