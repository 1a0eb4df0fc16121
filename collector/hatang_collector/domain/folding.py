"""Names as people spell them, brought to one key. For finding only: what is printed is the official form.

Vietnamese has two habits for the place of the tone mark (Hoà, Hòa), two for a final i (Mỹ, Mĩ), and
computers add capitals, double spaces, several dashes and two Unicode forms. The tone itself is part
of the name: Hương Hòa and Hương Hóa stay two places.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_TONES: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")
_WORD: Final = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+")
_SPACES: Final = re.compile(r"\s+")
_AROUND: Final = re.compile(r"\s*([-–—,;:/()])\s*")
_DASHES: Final = str.maketrans(
    {"–": "-", "—": "-", "‐": "-", "‑": "-", "’": "'", "‘": "'", "“": '"', "”": '"'}
)
_D: Final = str.maketrans({"đ": "d", "ð": "d"})
_CONSONANTS: Final = "bcdghklmnpqrstvxđ"
_LONE_Y: Final = re.compile(rf"^([{_CONSONANTS}]+)y$|^(qu)y")


@lru_cache(maxsize=65_536)
def folded(text: str) -> str:
    """The key under which spellings of one name are equal.

    Equal become: capitals, NFC and NFD, the place of the tone, i and a lone y, đ and d, spaces, the
    kinds of dashes and quotes. Kept are the tones and every word: "UBND xã" is part of a name.
    """
    plain = unicodedata.normalize("NFC", text).casefold().translate(_DASHES)
    plain = _AROUND.sub(r"\1", _SPACES.sub(" ", plain).strip())
    return _WORD.sub(lambda word: _one_y(_tone_last(word.group())), plain).translate(_D)


@lru_cache(maxsize=65_536)
def bare(text: str) -> str:
    """:func:`folded` without any mark, for headings that were typed without them: "ma tai san"."""
    parts = unicodedata.normalize("NFD", folded(text))
    return "".join(c for c in parts if not unicodedata.combining(c))


def official(text: str) -> str:
    """NFC, without spaces around it and with single ones inside: how a text is kept."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def only_the_tone_moved(one: str, other: str) -> bool:
    """Whether two spellings differ, and in nothing but the place of a tone mark (Hoà, Hòa)."""
    one, other = official(one), official(other)
    return one != other and _with_tones_last(one) == _with_tones_last(other)


def _with_tones_last(text: str) -> str:
    return _WORD.sub(lambda word: _tone_last(word.group()), text)


def _tone_last(word: str) -> str:
    """The word with its tone mark behind its last letter: it no longer matters which vowel had it."""
    if word.isascii():
        return word
    parts = unicodedata.normalize("NFD", word)
    tones = "".join(sorted(c for c in parts if c in _TONES))
    rest = "".join(c for c in parts if c not in _TONES)
    return unicodedata.normalize("NFC", rest) + tones


def _one_y(word: str) -> str:
    """The word with i for a y that is the only vowel (kỹ, kĩ) or follows qu (quý, quí)."""
    end = len(word) - sum(1 for c in word if c in _TONES)
    letters = _LONE_Y.sub(lambda found: (found[1] or found[2]) + "i", word[:end])
    return letters + word[end:]
