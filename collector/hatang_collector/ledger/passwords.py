"""Passwords are kept as scrypt (RFC 7914) of the password and 16 random bytes, never as text.

N=16384, r=8, p=5 (16 MB and about a fifth of a second; a row of the OWASP password storage sheet).
The stored text names its parameters, so that they can rise without anybody losing access.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters of scrypt: memory is about 128 * n * r bytes, time rises with n * r * p."""

    n: int
    r: int
    p: int


COST: Final = Cost(1 << 14, 8, 5)
MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256
_MEMORY: Final = 256 * 1024 * 1024


def encode(password: str) -> str:
    """``scrypt$n$r$p$salt$hash`` of a password."""
    salt = secrets.token_bytes(16)
    return f"scrypt${COST.n}${COST.r}${COST.p}${salt.hex()}${_scrypt(password, salt, COST).hex()}"


def matches(password: str, encoded: str) -> bool:
    """Whether the password is the encoded one, compared in constant time."""
    _, n, r, p, salt, wanted = encoded.split("$")
    found = _scrypt(password, bytes.fromhex(salt), Cost(int(n), int(r), int(p)))
    return hmac.compare_digest(found, bytes.fromhex(wanted))


def waste_time(password: str) -> None:
    """Work as long as :func:`matches` does, so that an unknown name does not answer sooner."""
    _scrypt(password, b"\0" * 16, COST)


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    # Letters with accents can be typed as one or two code points; people cannot see which.
    text = unicodedata.normalize("NFC", password[:MAX_LENGTH]).encode("utf-8", "replace")
    return hashlib.scrypt(text, salt=salt, n=cost.n, r=cost.r, p=cost.p, dklen=32, maxmem=_MEMORY)
