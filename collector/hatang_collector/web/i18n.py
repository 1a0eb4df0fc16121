"""Texts of the pages: a folder per language, a file per area; Vietnamese unless a cookie says otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, get_args

from hatang_collector.web.format import Language

COOKIE: Final = "hatang_lang"
DEFAULT: Final[Language] = "vi"
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
_FOLDER: Final = Path(__file__).parent / "catalogue"


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue of one language, called with a key and the values its text names."""

    language: Language
    entries: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of ``key``; KeyError when the catalogue lacks it."""
        return self.entries[key].format(**values) if values else self.entries[key]

    def or_name(self, key: str, name: str) -> str:
        """The text of ``key``, or ``name`` as it is: for names that agents of another version send."""
        return self.entries.get(key, name)


@cache
def texts(language: Language) -> Texts:
    """The catalogue of a language, read once. ValueError when two of its files have one key."""
    entries: dict[str, str] = {}
    for file in sorted((_FOLDER / language).glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        twice = entries.keys() & content.keys()
        if twice:
            raise ValueError(f"{file}: {', '.join(sorted(twice))} is also in another file")
        entries.update(content)
    return Texts(language, entries)


def language_of(cookie: str | None) -> Language:
    """The language a cookie asks for; anything unknown is the default."""
    return next((language for language in LANGUAGES if language == cookie), DEFAULT)
