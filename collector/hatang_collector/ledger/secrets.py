"""Random texts that give a right, shown once and kept as a hash.

The alphabet leaves out what is misread on paper (0 o, 1 i l). A secret has about 99 bits, so a
plain SHA-256 is enough: there is nothing to guess that a slow hash would slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_ID: Final = 6
_SECRET: Final = 20


def text(length: int) -> str:
    """Random letters and digits that are read aloud and typed without mistakes."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def new() -> tuple[str, str]:
    """(public id, whole text ``<id>-<secret>``)."""
    public = text(_ID)
    return public, f"{public}-{text(_SECRET)}"


def tidy(given: str) -> str:
    """What a person typed or pasted, as it was shown: no spaces, small letters."""
    return "".join(given.split()).lower()


def public_id(given: str) -> str:
    """The part before the hyphen; names the row and is no secret."""
    return given.partition("-")[0][:_ID]


def digest(given: str) -> str:
    """What is stored: SHA-256 of the whole text, in hexadecimal."""
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two hashes in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
