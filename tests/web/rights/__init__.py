"""Who may do what: one file per area of pages, each with a ``TABLE``, all found by package scan.

``TABLE`` maps (method, route) to (path asked, form, what nobody, viewer, inspector, admin and a fresh
admin get). A file may also have ``prepare(world)``, which puts in place what its paths name.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

NOBODY, VIEWER, INSPECTOR, ADMIN, FRESH = "nobody", "viewer", "inspector", "admin", "fresh"
WHO = (NOBODY, VIEWER, INSPECTOR, ADMIN, FRESH)

ALL_IN = (200, 200, 200, 200, 200)
API = (401, 200, 200, 200, 403)
PAGE = (303, 200, 200, 200, 303)
ADMIN_PAGE = (303, 403, 403, 200, 303)
ADMIN_FORM = (303, 403, 403, 303, 303)
"""A form that sends the browser on when it was taken. Nobody and fresh admins are sent to log in."""

Row = tuple[str, dict[str, str] | None, tuple[int, ...]]
Table = dict[tuple[str, str], Row]


def areas() -> list[ModuleType]:
    """The modules of this package."""
    return [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]


def whole_table() -> Table:
    """Every area's rows; a route named twice is an error."""
    found: Table = {}
    for area in areas():
        twice = found.keys() & area.TABLE.keys()
        assert not twice, f"{area.__name__}: {twice} stands in another area too"
        found.update(area.TABLE)
    return found
