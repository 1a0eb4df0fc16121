"""What stands in the menu, for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hatang_collector.ledger.roles import Role, User


@dataclass(frozen=True, slots=True)
class Item:
    """One entry: where it leads, the key of its text, who sees it, and below which paths it is current."""

    path: str
    text: str
    role: Role | None = Role.VIEWER
    below: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Whether a page belongs to this entry."""
        return path == self.path or any(path == one or path.startswith(f"{one}/") for one in self.below)


MENU: Final = (
    Item("/", "nav.board", below=("/sites", "/offices")),
    Item("/machines", "nav.machines", below=("/machines",)),
    Item("/units", "nav.units", below=("/units",)),
    Item("/registers", "nav.registers", below=("/registers",)),
    Item("/settings", "nav.settings", Role.ADMIN, ("/settings", "/tokens", "/users", "/log")),
    Item("/account", "nav.account", below=("/account",)),
    Item("/api/docs", "nav.docs", None),
)
SETTINGS_MENU: Final = (
    Item("/settings", "nav.agent_settings", Role.ADMIN, ("/settings",)),
    Item("/tokens", "nav.tokens", Role.ADMIN, ("/tokens",)),
    Item("/users", "nav.users", Role.ADMIN, ("/users",)),
    Item("/log", "nav.log", Role.ADMIN, ("/log",)),
)
_RISING: Final = tuple(Role)


def menu(user: User | None) -> tuple[Item, ...]:
    """The entries somebody may open."""
    return tuple(one for one in MENU if _sees(user, one))


def submenu(user: User | None, path: str) -> tuple[Item, ...]:
    """The second row on pages of the settings, empty elsewhere."""
    if not any(one.covers(path) for one in SETTINGS_MENU):
        return ()
    return tuple(one for one in SETTINGS_MENU if _sees(user, one))


def _sees(user: User | None, item: Item) -> bool:
    if item.role is None:
        return True
    return user is not None and _RISING.index(user.role) >= _RISING.index(item.role)
