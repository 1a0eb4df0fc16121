"""What the form of one row shows, field by field. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hatang_collector.domain.estate import Estate
from hatang_collector.domain.tree import vietnamese_order
from hatang_collector.sheets.cells import write_cell
from hatang_collector.sheets.contract import Column, Kind, Sheet
from hatang_collector.sheets.labels import labels
from hatang_collector.web.format import Language
from hatang_collector.web.register_edit import Wrong, key_fields
from hatang_collector.web.register_table import Names, shown

MOST_PROPOSED: Final = 3_000
"""Entries of one list of proposals; whatever is not in it can still be typed."""

SCOPES: Final = "scopes"
_KEYBOARDS: Final = {Kind.INTEGER: "numeric", Kind.DECIMAL: "decimal", Kind.DAY: "numeric"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form.

    ``fixed``: it says which thing it is and cannot be changed. ``name`` is what its code stands for.
    ``proposals`` names a list of :func:`proposals`, ``options`` are all there is to choose. ``present``
    is what stands in the register now, when that is no longer what the form began with.
    """

    name: str
    title: str
    help: str
    text: str
    required: bool
    fixed: bool
    stands_for: str
    proposals: str
    options: tuple[str, ...]
    keyboard: str
    wrong: tuple[str, ...]
    present: str | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One entry of a list: what is typed, and what it stands for."""

    text: str
    name: str


def fields_of(
    sheet: Sheet,
    texts: Mapping[str, str],
    row: Any | None,
    names: Names,
    language: Language,
    wrong: Sequence[Wrong] = (),
    *,
    stale: bool = False,
) -> list[Field]:
    """The fields in the order of the sheet.

    Args:
        sheet: the register.
        texts: what stands in the fields.
        row: the row that is edited, as it is in the register; None for a new one.
        names: what codes stand for.
        language: of the reader.
        wrong: what is wrong with what was typed.
        stale: somebody changed the row since the form was opened, so what it is now is told too.
    """
    fixed = frozenset(key_fields(sheet)) if row is not None else frozenset()
    now = shown(sheet, row, language)
    found = []
    for column in sheet.columns:
        name, text = column.field, texts.get(column.field, "")
        value = getattr(row, name, None)
        as_it_was = row is not None and text == now[name]
        found.append(
            Field(
                name=name,
                title=column.title(language),
                help=column.help(language),
                text=text,
                required=column.required,
                fixed=name in fixed,
                stands_for=names.of(column, value) if as_it_was else "",
                proposals=SCOPES if column.kind is Kind.SCOPE else column.refers,
                options=_options(column, language),
                keyboard=_KEYBOARDS.get(column.kind, ""),
                wrong=tuple(one.line(language) for one in wrong if one.field == name),
                present=now[name] if stale and not as_it_was else None,
            )
        )
    return found


def proposals(sheet: Sheet, estate: Estate, names: Names, language: Language) -> dict[str, list[Proposal]]:
    """What may be typed into the fields that refer to something, by the name of the list."""
    found: dict[str, list[Proposal]] = {}
    for column in sheet.columns:
        if column.refers:
            found[column.refers] = _of_noun(estate, names, column.refers)
        elif column.kind is Kind.SCOPE:
            found[SCOPES] = [
                Proposal(str(write_cell(column, f"{level}:{one.text}", language)), one.name)
                for level in ("unit", "site")
                for one in _of_noun(estate, names, f"{level}s")
            ][:MOST_PROPOSED]
    return found


def _of_noun(estate: Estate, names: Names, noun: str) -> list[Proposal]:
    codes = dict.fromkeys(row.code for row in getattr(estate, noun))
    named = names.by_noun.get(noun, {})
    both = [
        Proposal(code, names.tree.name_of(code, names.day) if noun == "units" else named.get(code, ""))
        for code in codes
    ]
    return sorted(both, key=lambda one: (vietnamese_order(one.name), one.text))[:MOST_PROPOSED]


def _options(column: Column, language: Language) -> tuple[str, ...]:
    if column.choices is not None:
        return tuple(labels(column.choices, language))
    if column.kind is Kind.YES_NO:
        return tuple(str(write_cell(column, one, language)) for one in (True, False))
    return ()
