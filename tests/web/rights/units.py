"""Rights of the pages of units."""

from __future__ import annotations

from hatang_collector.domain import edits
from hatang_collector.domain.estate import Unit
from hatang_collector.ledger import estate
from web.rights import PAGE, Table
from web.webkit import World

TABLE: Table = {
    ("GET", "/units"): ("/units", None, PAGE),
    ("GET", "/units/{code:path}"): ("/units/20161", None, PAGE),
}


def prepare(world: World) -> None:
    """One unit."""
    estate.edit(
        world.ledger,
        lambda before: edits.put(before, Unit("20161", "Xã Khe Tre")),
        who="test",
        role="admin",
        now_ms=world.clock(),
    )
