"""Finds what a cell refers to: by code, by the official name, by a spelling of it. Never by a guess."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hatang_collector.domain.estate import Estate
from hatang_collector.domain.folding import bare, folded, only_the_tone_moved
from hatang_collector.sheets.contract import sheets
from hatang_collector.sheets.lines import Line
from hatang_collector.sheets.said import Refused, Said

NOUNS: Final = ("units", "sites", "services", "staff_groups")
"""What a cell may refer to."""

_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class Found:
    """The code that is meant; ``official`` is the name when only its tone mark stands elsewhere."""

    code: str
    official: str = ""


class Names:
    """Everything that can be referred to, of an estate and of the lines of files."""

    def __init__(self, estate: Estate, lines: Iterable[Line]) -> None:
        self._entries = {noun: _Entries() for noun in NOUNS}
        for noun, entries in self._entries.items():
            for row in getattr(estate, noun):
                entries.add(row.code, row.name, getattr(row, "kind", ""))
        for line in lines:
            code, name = line.values.get("code"), line.values.get("name")
            if line.sheet.noun in self._entries and isinstance(code, str):
                kind = line.values.get("kind")
                self._entries[line.sheet.noun].add(code, str(name or ""), str(kind or ""))
        self._found: dict[tuple[str, str], Found | Refused] = {}

    def find(self, noun: str, text: str) -> Found:
        """What a text refers to. Raises Refused when nothing, or more than one, has that name."""
        key = noun, text
        if key not in self._found:
            self._found[key] = self._entries[noun].find(noun, text)
        found = self._found[key]
        if isinstance(found, Refused):
            raise Refused(found.cause, found.next_step)
        return found

    def find_scope(self, text: str) -> Found:
        """The scope a text means: ``unit:CODE`` or ``site:CODE``; a bare name is looked for in both."""
        level, colon, name = text.partition(":")
        if colon and level in ("unit", "site"):
            found = self.find(f"{level}s", name)
            return Found(f"{level}:{found.code}", found.official)
        hits: list[Found] = []
        for level in ("unit", "site"):
            try:
                found = self.find(f"{level}s", text)
            except Refused:
                continue
            hits.append(Found(f"{level}:{found.code}", found.official))
        if len(hits) == 1:
            return hits[0]
        cause = (
            Said(f"“{text}” vừa là đơn vị vừa là trụ sở", f"“{text}” is a unit and a site")
            if hits
            else Said(f"không có đơn vị hay trụ sở “{text}”", f"there is no unit or site “{text}”")
        )
        raise Refused(cause, Said("ghi “đơn vị: mã” hoặc “trụ sở: mã”", "write “unit: code” or “site: code”"))


class _Entries:
    """The codes and names of one noun."""

    def __init__(self) -> None:
        self.names: dict[str, dict[str, None]] = defaultdict(dict)
        self._by_code: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._by_alias: dict[str, set[str]] = defaultdict(set)

    def add(self, code: str, name: str, kind: str) -> None:
        self.names[code].setdefault(name)
        self._by_code[code.casefold()].add(code)
        if not name:
            return
        key, label = folded(name), folded(kind)
        self._by_name[key].add(code)
        # "UBND xã Hương Hòa", "xã Hương Hòa" and "Hương Hòa" are one place to people.
        place = key.removeprefix("ubnd ")
        self._by_alias[place].add(code)
        if label:
            self._by_alias[f"{label} {place}"].add(code)
            self._by_alias[place.removeprefix(f"{label} ")].add(code)

    def find(self, noun: str, text: str) -> Found | Refused:
        if text in self.names:
            return Found(text)
        key = folded(text)
        codes = self._by_name.get(key) or self._by_code.get(text.casefold()) or self._by_alias.get(key, set())
        if len(codes) == 1:
            (code,) = codes
            moved = [name for name in self.names[code] if only_the_tone_moved(name[-len(text) :], text)]
            spelled = any(name == text for name in self.names[code])
            return Found(code, moved[0] if moved and not spelled else "")
        return self._several(noun, text, codes) if codes else self._unknown(noun, text)

    def _several(self, noun: str, text: str, codes: set[str]) -> Refused:
        which = ", ".join(sorted(codes)[:_SHOWN])
        vi, en = sheets()[noun].one_vi, sheets()[noun].one_en
        return Refused(
            Said(
                f"có {len(codes)} {vi} tên “{text}”: {which}",
                f"{len(codes)} {en}s are called “{text}”: {which}",
            ),
            Said("ghi mã thay cho tên", "write the code instead of the name"),
        )

    def _unknown(self, noun: str, text: str) -> Refused:
        vi, en = sheets()[noun].one_vi, sheets()[noun].one_en
        close = self._close(text)
        near_vi, near_en = (f", gần giống: {close}", f", similar: {close}") if close else ("", "")
        return Refused(
            Said(f"không có {vi} “{text}”{near_vi}", f"there is no {en} “{text}”{near_en}"),
            Said(
                f"sửa lại, hoặc thêm vào trang “{sheets()[noun].title_vi}”",
                f"correct it, or add it to the sheet “{sheets()[noun].title_en}”",
            ),
        )

    def _close(self, text: str) -> str:
        """Official names that look like the text, however much of them was written."""
        keys = {bare(alias): code for alias, codes in self._by_alias.items() for code in codes}
        keys |= {bare(name): code for name, codes in self._by_name.items() for code in codes}
        found = dict.fromkeys(keys[key] for key in difflib.get_close_matches(bare(text), keys, 3, 0.75))
        return ", ".join(f"{next(name for name in self.names[code] if name)} ({code})" for code in found)
