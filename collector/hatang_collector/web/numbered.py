"""Things that change, each with the number of its last change, so that a page can ask what is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar


class Sorted(Protocol):
    """Something with a place on a page."""

    @property
    def sort(self) -> str:
        """Comes before what has a greater one."""
        ...


T = TypeVar("T", bound=Sorted)


class Numbered(Generic[T]):
    """The newest of each thing by key. Replaced as a whole, so threads that render pages may read it."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, T]] = {}
        self._gone: dict[str, int] = {}

    def put(self, found: Mapping[str, T], number: int) -> bool:
        """Take in how things are at a number; False when nothing changed since the last time."""
        known = self._kept
        changed = {
            key: (number, one) for key, one in found.items() if key not in known or known[key][1] != one
        }
        left = known.keys() - found.keys()
        if not changed and not left:
            return False
        self._kept = {key: changed.get(key) or known[key] for key in found}
        still_gone = {key: at for key, at in self._gone.items() if key not in found}
        self._gone = {**still_gone, **dict.fromkeys(left, number)}
        return True

    def each(self) -> Iterator[T]:
        """Every one, in no order."""
        return (one for _, one in self._kept.values())

    def all(self) -> list[T]:
        """Every one, in page order."""
        return sorted(self.each(), key=lambda one: one.sort)

    def get(self, key: str) -> T | None:
        """The newest of one, None for a key that there is not."""
        kept = self._kept.get(key)
        return kept[1] if kept else None

    def since(self, number: int) -> tuple[T, ...]:
        """What changed after a number, in page order."""
        return tuple(
            sorted((one for at, one in self._kept.values() if at > number), key=lambda one: one.sort)
        )

    def gone_since(self, number: int) -> tuple[str, ...]:
        """The keys of what went after a number."""
        return tuple(key for key, at in self._gone.items() if at > number)
