"""Digests seen lately, in bounded memory."""

from __future__ import annotations

from typing import Final

CAPACITY: Final = 100_000


class Seen:
    """Remembers at least the last ``capacity`` keys, and at most twice as many."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def __contains__(self, key: bytes) -> bool:
        return key in self._young or key in self._old

    def add(self, key: bytes) -> None:
        """Remember a key."""
        self._young.add(key)
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, set()
