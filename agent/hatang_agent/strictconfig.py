"""Settings from TOML into frozen dataclasses, strictly. Standard library only.

The dataclass is the schema: its fields are the keys, their defaults the defaults, and
``metadata={"help": …}`` their explanation. ``minimum`` and ``maximum`` in the metadata bound
numbers; ``example`` is what the sample file shows for a value without a default.

Understood are str, int, float, bool, Path, StrEnum, ``X | None``, ``tuple[X, ...]``, nested
dataclasses (tables), tuples of dataclasses (arrays of tables) and ``dict[str, Any]`` (a table
that its owner checks later with :func:`build`).

Each scalar can be overridden by the environment variable ``HATANG_<SECTION>_<KEY>``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ENVIRONMENT_PREFIX = "HATANG"

Step = str | int


class ConfigError(Exception):
    """A setting is wrong. The text is one line: ``file:line: cause; next step``."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where values come from: a source with its text, and the path of the table within it."""

    source: str
    text: str
    path: tuple[Step, ...] = ()

    def below(self, step: Step) -> Place:
        """The place of a table or list item inside this one."""
        return dataclasses.replace(self, path=(*self.path, step))

    def error(self, message: str, key: str | None = None) -> ConfigError:
        """The error of a key of this table, or of the table itself, with the line where it stands."""
        wanted = self.path if key is None else (*self.path, key)
        line = line_of(self.text, wanted)
        where = f"{self.source}:{line}" if line else self.source
        return ConfigError(f"{where}: {message}")

    @property
    def table(self) -> str:
        """The table as a person wrote it: ``[a.b]``, or ``the top level``."""
        names = [str(step) for step in self.path if isinstance(step, str)]
        if not names:
            return "the top level"
        brackets = "[[{}]]" if isinstance(self.path[-1], int) else "[{}]"
        return brackets.format(".".join(names))


def load(kind: type[T], text: str, source: str, environ: Mapping[str, str] | None = None) -> T:
    """A ``kind`` from TOML text, environment variables on top. Raises ConfigError."""
    return build(kind, parse(text, source), Place(source, text), environ or {}, ENVIRONMENT_PREFIX)


def parse(text: str, source: str) -> dict[str, Any]:
    """The values in TOML text. Raises ConfigError."""
    if not text.strip():
        return {}  # the resident agent without a settings file does not carry the parser
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, source) from error


def build(
    kind: type[T],
    values: Mapping[str, Any],
    place: Place,
    environ: Mapping[str, str] | None = None,
    prefix: str = "",
) -> T:
    """A ``kind`` from parsed values. Raises ConfigError that names the line in ``place``."""
    environ = environ or {}
    items = {item.name: item for item in dataclasses.fields(typing.cast("Any", kind))}
    refuse_unknown(values, set(items), place)
    hints = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for name, item in items.items():
        hint = hints[name]
        variable = f"{prefix}_{name}".upper()
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            table = _need_table(values.get(name, {}), name, place)
            given[name] = build(hint, table, place.below(name), environ, variable)
        elif prefix and variable in environ and typing.get_origin(hint) is not dict:
            outside = Place(f"environment variable {variable}", "")
            given[name] = _bounded(item, from_text(hint, environ[variable], outside, name), outside)
        elif name in values:
            given[name] = _bounded(item, _convert(hint, values[name], place, name), place)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise place.error(f"missing key {name!r} in {place.table}; add it")
    try:
        return kind(**given)
    except ValueError as error:
        raise place.error(f"{place.table}: {error}") from error


def from_text(kind: Any, text: str, place: Place, key: str) -> Any:
    """A value from the text of an environment variable or ``--set``; lists are comma-separated."""
    kind = _without_none(kind)
    if typing.get_origin(kind) is tuple:
        (inner, _) = typing.get_args(kind)
        return tuple(from_text(inner, part.strip(), place, key) for part in text.split(",") if part.strip())
    if kind is bool and text.lower() in ("true", "false", "1", "0", "yes", "no"):
        return text.lower() in ("true", "1", "yes")
    if kind in (int, float):
        try:
            return _convert(kind, kind(text), place, key)
        except ValueError:
            raise _wrong(place, key, kind, text) from None
    return _convert(kind, text, place, key)


def refuse_unknown(values: Mapping[str, Any], known: Iterable[str], place: Place) -> None:
    """Raise ConfigError for the first key that is not known, with the likeliest one meant."""
    known = set(known)
    for key in values:
        if key not in known:
            raise place.error(f"unknown key {key!r} in {place.table}; {_meant(key, known)}", key)


def _meant(key: str, known: Iterable[str]) -> str:
    import difflib  # only once something is wrong

    near = difflib.get_close_matches(key, sorted(known), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(sorted(known))}" if known else "nothing can be set there"


def _convert(kind: Any, value: Any, place: Place, key: str) -> Any:
    kind = _without_none(kind)
    origin = typing.get_origin(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind, _need_table(value, key, place), place.below(key))
    if origin is tuple:
        return _list(typing.get_args(kind)[0], value, place, key)
    if origin is not None and issubclass(origin, Mapping):
        return _need_table(value, key, place)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        choices = [str(choice) for choice in kind]
        if value not in choices:
            raise place.error(
                f"{key!r} in {place.table} is {_shown(value)}; choose one of {', '.join(choices)}", key
            )
        return kind(value)
    return _scalar(kind, value, place, key)


def _scalar(kind: Any, value: Any, place: Place, key: str) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if type(value) is not kind:
        raise _wrong(place, key, kind, value)
    if kind is float and not math.isfinite(value):
        raise place.error(f"{key!r} in {place.table} is {value}; give a finite number", key)
    return value


def _list(inner: Any, value: Any, place: Place, key: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        if dataclasses.is_dataclass(inner):
            raise place.error(f"{key!r} in {place.table} must be a list of tables; write [[{key}]]", key)
        raise place.error(f"{key!r} in {place.table} must be a list; put it in square brackets", key)
    if dataclasses.is_dataclass(inner) and isinstance(inner, type):
        inside = place.below(key)
        return tuple(
            build(inner, _need_table(item, key, place), inside.below(at)) for at, item in enumerate(value)
        )
    return tuple(_convert(inner, item, place, key) for item in value)


def _need_table(value: Any, key: str, place: Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        name = ".".join([*(str(step) for step in place.path), key])
        raise place.error(f"{key!r} must be a table; write its settings below [{name}]", key)
    return value


def _bounded(item: dataclasses.Field[Any], value: Any, place: Place) -> Any:
    low, high = item.metadata.get("minimum"), item.metadata.get("maximum")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if low is not None and value < low:
            raise place.error(f"{item.name!r} is {value:g}; give at least {low:g}", item.name)
        if high is not None and value > high:
            raise place.error(f"{item.name!r} is {value:g}; give at most {high:g}", item.name)
    return value


_WORDS: Mapping[Any, str] = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path in quotes",
}


def _wrong(place: Place, key: str, kind: Any, value: Any) -> ConfigError:
    expected = _WORDS.get(kind, getattr(kind, "__name__", str(kind)))
    return place.error(f"{key!r} in {place.table} is {_shown(value)}; give {expected}", key)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return repr(value)[:60]


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kinds = [part for part in typing.get_args(kind) if part is not type(None)]
        if len(kinds) == 1:
            return kinds[0]
    return kind


def _syntax_error(error: str, text: str, source: str) -> ConfigError:
    found = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", error)
    line = found.group(1) if found and found.group(1) else str(text.count("\n") + 1)
    cause = error.split(" (at ")[0]
    return ConfigError(f"{source}:{line}: not TOML: {cause[:1].lower()}{cause[1:]}; correct this line")


_HEADER = r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$"
_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = rf"\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*="


def line_of(text: str, path: Sequence[Step]) -> int | None:
    """The number of the line that says most about a path: its key, else the nearest table above it."""
    table: tuple[Step, ...] = ()
    counts: dict[tuple[Step, ...], int] = {}
    best: tuple[int, int | None] = (0, None)
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if inside in line else inside
            continue
        if header := re.match(_HEADER, line):
            table = _steps(header.group(2))
            if header.group(1) == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            here = table
        elif key := re.match(_KEY, line):
            here = (*table, *_steps(key.group(1)))
            inside = next((mark for mark in ('"""', "'''") if line.count(mark) == 1), "")
        else:
            continue
        if here == tuple(path[: len(here)]) and len(here) > best[0]:
            best = (len(here), number)
    return best[1]


def _steps(dotted: str) -> tuple[Step, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def sample(kind: type[Any]) -> str:
    """A commented sample file: every key with its explanation and default, commented out."""
    hints = typing.get_type_hints(kind)
    top, tables = [], []
    for item in dataclasses.fields(kind):
        hint = _without_none(hints[item.name])
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            tables.append(sample_table((item.name,), [(hint, None)]))
        elif inner is not None and dataclasses.is_dataclass(inner) and isinstance(inner, type):
            lines = sample_table((item.name,), [(inner, None)]).splitlines()
            tables.append("\n".join([f"# [[{item.name}]]", *lines[1:], ""]))
        elif typing.get_origin(hint) is not dict:
            top.extend(_sample_lines(item, hint, None))
    return "\n".join([*(["\n".join(top) + "\n"] if top else []), *tables])


def sample_table(
    path: Sequence[str], kinds: Sequence[tuple[type[Any], Any]], hidden: Iterable[str] = ()
) -> str:
    """One table of a sample file with the keys of several dataclasses.

    Beside each dataclass stands an instance with the defaults to show, or None for its own;
    ``hidden`` keys are left out.
    """
    lines = [f"[{'.'.join(path)}]"]
    for kind, shown in kinds:
        hints = typing.get_type_hints(kind)
        for item in dataclasses.fields(kind):
            if item.name not in set(hidden):
                lines.extend(_sample_lines(item, _without_none(hints[item.name]), shown))
    return "\n".join(lines) + "\n"


def _sample_lines(item: dataclasses.Field[Any], hint: Any, shown: Any) -> list[str]:
    explained = [f"# {item.metadata['help']}"] if "help" in item.metadata else []
    required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    value = None if required else item.default
    if not required and item.default is dataclasses.MISSING:
        value = typing.cast("Any", item.default_factory)()
    if shown is not None:
        value = getattr(shown, item.name)
    if value is None:
        value = item.metadata.get("example", _EMPTY.get(hint, ""))
    return [*explained, f"{'' if required else '#'}{item.name} = {_toml(value)}"]


_EMPTY: Mapping[Any, Any] = {int: 0, float: 0.0, bool: True}


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value!r}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)
