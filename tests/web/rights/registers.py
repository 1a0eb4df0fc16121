"""Rights of the registers: everybody who logged in reads them, administrators change them."""

from __future__ import annotations

from hatang_collector.domain import edits
from hatang_collector.domain.estate import Estate, Unit
from hatang_collector.ledger import estate as estates
from web.rights import ADMIN_FORM, ADMIN_PAGE, PAGE, Table
from web.webkit import World

ENDED, MISTAKE = "so-het-han", "so-nham"

TABLE: Table = {
    ("GET", "/registers"): ("/registers", None, PAGE),
    ("GET", "/registers/workbook"): ("/registers/workbook", None, PAGE),
    ("GET", "/registers/template"): ("/registers/template", None, PAGE),
    ("GET", "/registers/matching"): ("/registers/matching", None, PAGE),
    ("GET", "/registers/matching/csv"): ("/registers/matching/csv", None, PAGE),
    ("GET", "/registers/import"): ("/registers/import", None, ADMIN_PAGE),
    ("POST", "/registers/import"): ("/registers/import", {}, (303, 403, 403, 400, 303)),
    ("POST", "/registers/import/confirm"): (
        "/registers/import/confirm",
        {"held": "zzzz"},
        (303, 403, 403, 404, 303),
    ),
    ("GET", "/registers/{noun}"): ("/registers/units", None, PAGE),
    ("GET", "/registers/{noun}/csv"): ("/registers/units/csv", None, PAGE),
    ("GET", "/registers/{noun}/row"): ("/registers/units/row", None, ADMIN_PAGE),
    ("POST", "/registers/{noun}/row"): (
        "/registers/units/row",
        {"code": "so-moi", "name": "Đơn vị mới", "valid_from": ""},
        ADMIN_FORM,
    ),
    ("POST", "/registers/{noun}/end"): (
        "/registers/units/end",
        {"key": [ENDED, "1900-01-01"], "end_day": "01/01/2026"},  # type: ignore[dict-item]
        ADMIN_FORM,
    ),
    ("POST", "/registers/{noun}/remove"): (
        "/registers/units/remove",
        {"key": [MISTAKE, "1900-01-01"], "sure": "yes"},  # type: ignore[dict-item]
        ADMIN_FORM,
    ),
}


def prepare(world: World) -> None:
    """Units to end and to remove."""

    def with_units(estate: Estate) -> Estate:
        return edits.put_all(estate, [Unit(code, code) for code in (ENDED, MISTAKE)])

    estates.edit(world.ledger, with_units, who="test", role="admin", now_ms=world.clock())
