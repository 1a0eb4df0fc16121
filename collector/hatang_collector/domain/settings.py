"""Settings of agents, inherited along the tree, and what an agent says about its configuration. Pure.

A setting stands at a *scope*: ``all``, ``unit:CODE``, ``site:CODE`` or ``machine:AGENT``. A machine
has a chain of scopes, nearest first: itself, its site, its unit and every unit above, all. The
nearest setting of a key wins; at one scope that of the machine's role wins over that of both roles.
What nobody set is not sent: the agent's own default, or its own file, holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final, Protocol

from hatang_collector.domain.dated import on
from hatang_collector.domain.estate import Estate, Placement
from hatang_collector.domain.tree import Tree

ALL: Final = "all"
UNIT: Final = "unit:"
SITE: Final = "site:"
MACHINE: Final = "machine:"
BOTH: Final = ""
"""The role of a setting for office computers and site probes alike."""
ROLES: Final = ("pc", "probe")
REPORT_KEY: Final = "reporting.report_s"
MAX_TEXT: Final = 500
MAX_ITEMS: Final = 64
MAX_NUMBER: Final = 1_000_000_000

_REPORT_S: Final = {"pc": 300, "probe": 15}
"""The agent's own defaults; a test holds them to the generated keys."""
_YES: Final = frozenset({"true", "yes", "1", "có"})
_NO: Final = frozenset({"false", "no", "0", "không"})


class Kind(StrEnum):
    """What a value is."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    CHOICE = "choice"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the signed configuration. ``defaults`` by role are the program's own.

    ``roles`` are those in which the thing runs unless it is switched; ``items`` is the kind of a
    list's parts; ``follows`` names the key whose value is the default where it is set.
    """

    name: str
    kind: Kind
    help: str
    defaults: Mapping[str, Any]
    roles: Sequence[str] = ROLES
    minimum: float | None = None
    maximum: float | None = None
    choices: Sequence[str] = ()
    items: Kind = Kind.TEXT
    follows: str = ""

    @property
    def table(self) -> str:
        """The table it stands in: ``reporting``, ``probes.usage``."""
        return self.name.rpartition(".")[0]


class Setting(Protocol):
    """A value that somebody set at a scope for a role."""

    @property
    def scope(self) -> str:
        """Where it is set."""
        ...

    @property
    def role(self) -> str:
        """``pc``, ``probe`` or '' for both."""
        ...

    @property
    def key(self) -> str:
        """The key's full name."""
        ...

    @property
    def value(self) -> Any:
        """The value, as JSON carries it."""
        ...


@dataclass(frozen=True, slots=True)
class Effective:
    """A value in force and the scope it comes from; '' is the program's default."""

    value: Any
    scope: str = ""


class Fault(StrEnum):
    """Why a value is not taken."""

    NOT_BOOL = "not_bool"
    NOT_INT = "not_int"
    NOT_NUMBER = "not_number"
    NOT_TEXT = "not_text"
    NOT_LIST = "not_list"
    NOT_CHOICE = "not_choice"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"


class BadValue(ValueError):  # noqa: N818 - a refusal is an answer
    """A value is not taken. ``fault`` and ``limit`` are for pages, the text is one line for people."""

    def __init__(self, key: Key, fault: Fault, advice: str, limit: str = "") -> None:
        super().__init__(f"{key.name}: {advice}")
        self.fault = fault
        self.limit = limit


def check(key: Key, value: Any) -> Any:
    """The value as the agent takes it; whole numbers become what the key wants. Raises BadValue."""
    if key.kind is Kind.LIST:
        if not isinstance(value, list):
            raise BadValue(key, Fault.NOT_LIST, "give a list")
        if len(value) > MAX_ITEMS:
            raise BadValue(key, Fault.TOO_LONG, f"give at most {MAX_ITEMS} entries", str(MAX_ITEMS))
        return [_scalar(key, key.items, part) for part in value]
    return _bounded(key, _scalar(key, key.kind, value))


def _scalar(key: Key, kind: Kind, value: Any) -> Any:
    if kind is Kind.BOOL:
        if isinstance(value, bool):
            return value
        raise BadValue(key, Fault.NOT_BOOL, "give true or false")
    if kind in (Kind.INT, Kind.FLOAT):
        return _number(key, kind, value)
    if not isinstance(value, str) or not value.isprintable():
        raise BadValue(key, Fault.NOT_TEXT, "give text on one line")
    if len(value) > MAX_TEXT:
        raise BadValue(key, Fault.TOO_LONG, f"give at most {MAX_TEXT} characters", str(MAX_TEXT))
    if kind is Kind.CHOICE and value not in key.choices:
        known = ", ".join(key.choices)
        raise BadValue(key, Fault.NOT_CHOICE, f"choose one of {known}", known)
    return value


def _number(key: Key, kind: Kind, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadValue(key, Fault.NOT_NUMBER, "give a number")
    if abs(value) > MAX_NUMBER:
        raise BadValue(key, Fault.TOO_LARGE, f"give at most {MAX_NUMBER}", str(MAX_NUMBER))
    if float(value).is_integer():
        return int(value)  # 60 and 60.0 are one value and one text; the agent takes both
    if kind is Kind.INT:
        raise BadValue(key, Fault.NOT_INT, "give a whole number")
    return value


def _bounded(key: Key, value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if key.minimum is not None and value < key.minimum:
            raise BadValue(key, Fault.TOO_SMALL, f"give at least {key.minimum:g}", f"{key.minimum:g}")
        if key.maximum is not None and value > key.maximum:
            raise BadValue(key, Fault.TOO_LARGE, f"give at most {key.maximum:g}", f"{key.maximum:g}")
    return value


def read(key: Key, text: str) -> Any:
    """The value of a text that a person typed: decimal comma or point, lists with ';'. Raises BadValue."""
    if key.kind is Kind.LIST:
        parts = [part.strip() for part in text.split(";")]
        return check(key, [_typed(key, key.items, part) for part in parts if part])
    return check(key, _typed(key, key.kind, text.strip()))


def _typed(key: Key, kind: Kind, text: str) -> Any:
    if kind is Kind.BOOL:
        word = text.lower()
        if word not in _YES | _NO:
            raise BadValue(key, Fault.NOT_BOOL, "give true or false")
        return word in _YES
    if kind not in (Kind.INT, Kind.FLOAT):
        return text
    try:
        return float(text.replace(",", ".")) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        raise BadValue(key, Fault.NOT_NUMBER, "give a number") from None


# Inheritance.


def effective(settings: Iterable[Setting], chain: Sequence[str], role: str) -> dict[str, Effective]:
    """What is set for a machine of a role with these scopes, nearest first; keys nobody set are absent."""
    places = {scope: place for place, scope in enumerate(chain)}
    found: dict[str, tuple[tuple[int, bool], Effective]] = {}
    for one in settings:
        place = places.get(one.scope)
        if place is None or one.role not in (BOTH, role):
            continue
        rank = (place, one.role == BOTH)
        if one.key not in found or rank < found[one.key][0]:
            found[one.key] = (rank, Effective(one.value, one.scope))
    return {key: value for key, (_, value) in found.items()}


def complete(keys: Iterable[Key], found: Mapping[str, Effective], role: str) -> dict[str, Effective]:
    """Every key with the value in force, the program's defaults where nobody set one."""
    whole: dict[str, Effective] = {}
    for key in keys:
        followed = found.get(key.follows)
        default = followed.value if followed is not None else key.defaults.get(role)
        whole[key.name] = found.get(key.name, Effective(default))
    return whole


def content(found: Mapping[str, Effective]) -> dict[str, Any]:
    """The tables that travel: ``{"reporting": {"report_s": 60}}``. What is only a default stays out."""
    tables: dict[str, Any] = {}
    for name, one in sorted(found.items()):
        if one.scope:
            *path, last = name.split(".")
            table = tables
            for step in path:
                table = table.setdefault(step, {})
            table[last] = one.value
    return tables


def report_interval_ms(found: Mapping[str, Effective], role: str) -> int:
    """How far apart an agent's reports are, from :func:`effective` of its scopes."""
    one = found.get(REPORT_KEY)
    seconds = one.value if one is not None else _REPORT_S.get(role, _REPORT_S["pc"])
    return int(seconds * 1000)


class Scopes:
    """The chains of an estate on a day; each is worked out once."""

    def __init__(self, estate: Estate, tree: Tree, day: date) -> None:
        self._tree = tree
        self._day = day
        self._units_of: dict[str, list[str]] = {}
        for row in on(estate.site_units, day):
            self._units_of.setdefault(row.site, []).append(row.unit)
        self._above: dict[tuple[str, str], list[str]] = {}

    def of(self, agent: str, placement: Placement | None) -> list[str]:
        """The scopes of a machine, nearest first. Nobody placed it: itself and all."""
        site, unit = (placement.site, placement.unit) if placement is not None else ("", "")
        return [f"{MACHINE}{agent}", *self.above(site, unit)]

    def above(self, site: str, unit: str) -> list[str]:
        """The scopes of whatever stands at a site and serves a unit; either may be ''.

        Without a unit those of the site count; of several, what is above all of them.
        """
        if (site, unit) not in self._above:
            units = self._chain(unit) or self._shared(site)
            own = [f"{SITE}{site}"] if site else []
            self._above[site, unit] = [*own, *(f"{UNIT}{code}" for code in units), ALL]
        return self._above[site, unit]

    def of_scope(self, scope: str) -> list[str]:
        """A scope and those it inherits from; a machine's are those of :meth:`of`."""
        if scope.startswith(UNIT):
            return self.above("", scope.removeprefix(UNIT))
        return self.above(scope.removeprefix(SITE), "") if scope.startswith(SITE) else [ALL]

    def _chain(self, unit: str) -> list[str]:
        """A unit of the day and those above it; one that was followed by another is that other."""
        if not unit:
            return []
        now = self._tree.resolve(unit, self._day).unit
        return [one.code for one in self._tree.chain(now, self._day)] if now is not None else []

    def _shared(self, site: str) -> list[str]:
        """The units above every unit of a site, those of its only one with itself."""
        first, *others = [self._chain(unit) for unit in self._units_of.get(site, [])] or [[]]
        return [code for code in first if all(code in other for other in others)]


def scopes_of(agent: str, placement: Placement | None, estate: Estate, tree: Tree, day: date) -> list[str]:
    """The scopes of one machine, nearest first. For many machines make one :class:`Scopes`."""
    return Scopes(estate, tree, day).of(agent, placement)


# What an agent says about its configuration.


class Delivery(StrEnum):
    """How far the newest configuration of a machine has come, what needs a person first."""

    STRANGE = "strange"
    REFUSED = "refused"
    AHEAD = "ahead"
    WAITING = "waiting"
    ACCEPTED = "accepted"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Told:
    """An agent's latest word: the number it speaks of, whether it took it, why not, and since when."""

    number: int
    accepted: bool
    reason: str = ""
    since_ms: int = 0


def delivery(sent: int | None, told: Told | None, in_force: int | None = None) -> Delivery:
    """Where a machine stands. ``in_force`` is the number it took last, when that is known.

    STRANGE: it refused something that we did not send. AHEAD: it holds a higher number than we
    ever gave, as after a ledger was restored from an old copy.
    """
    if sent is None:
        return Delivery.NOTHING
    if told is None:
        return Delivery.WAITING
    if told.accepted:
        if told.number == sent:
            return Delivery.ACCEPTED
        return Delivery.WAITING if told.number < sent else Delivery.AHEAD
    if told.number == sent and in_force != sent:
        return Delivery.AHEAD if in_force is not None and in_force > sent else Delivery.REFUSED
    strange = in_force == sent or told.number > sent or told.number == 0
    return Delivery.STRANGE if strange else Delivery.WAITING
