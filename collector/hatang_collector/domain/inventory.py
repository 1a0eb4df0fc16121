"""Which set of facts of one probe is the current one, when runs come late, twice or without content.

A run's facts replace the former ones of its probe. A run may leave its facts out because they are
those of a set that the collector has (``unchanged``); when it turns out not to have it, that is told.
An older run never overwrites a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

EPOCH_DIGITS: Final = 16
"""A run id is that many digits of its epoch, a hyphen, and a number that rises with each run."""


@dataclass(frozen=True, slots=True)
class Seen:
    """When a run was taken, UTC milliseconds, and whether that time is certain."""

    run_id: str
    at_ms: int
    certain: bool

    def newer_than(self, other: Seen) -> bool:
        """Whether it was taken later; within one process start its number says so whatever the clocks."""
        mine, theirs = self.run_id, other.run_id
        if mine[:EPOCH_DIGITS] == theirs[:EPOCH_DIGITS]:
            return int(mine[EPOCH_DIGITS + 1 :]) > int(theirs[EPOCH_DIGITS + 1 :])
        return (self.at_ms, self.run_id) > (other.at_ms, other.run_id)


@dataclass(frozen=True, slots=True)
class Current:
    """The set in force: its digest, the run that carried it in full, and the latest run that confirms it."""

    digest: str
    run_id: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Missing:
    """A run confirmed a set whose content never came."""

    digest: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is held of one probe of one agent."""

    current: Current | None = None
    missing: Missing | None = None


class Effect(StrEnum):
    """What a run did to the inventory."""

    REPLACED = "replaced"
    CONFIRMED = "confirmed"
    OLDER = "older"
    MISSING = "missing"


def full(held: Inventory, digest: str, seen: Seen) -> tuple[Inventory, Effect]:
    """A run that carried its facts. REPLACED: the content of ``current.digest`` is in force from now on."""
    current, effect = _current(held.current, Current(digest, seen.run_id, seen))
    now, missing = Inventory(current, held.missing), held.missing
    if missing is not None and missing.digest == digest and missing.seen.newer_than(current.seen):
        changed = (
            Effect.CONFIRMED
            if current.digest == digest and effect is not Effect.REPLACED
            else Effect.REPLACED
        )
        return Inventory(Current(digest, seen.run_id, missing.seen)), changed
    return _settle(now), effect


def unchanged(
    held: Inventory, digest: str, seen: Seen, content_run_id: str | None
) -> tuple[Inventory, Effect]:
    """A run without its facts. ``content_run_id``: the run that brought the set, None when none did."""
    if held.current is not None and not seen.newer_than(held.current.seen):
        return held, Effect.OLDER
    if held.current is not None and held.current.digest == digest:
        return _settle(replace(held, current=replace(held.current, seen=seen))), Effect.CONFIRMED
    if content_run_id is not None:
        return _settle(replace(held, current=Current(digest, content_run_id, seen))), Effect.REPLACED
    if held.missing is not None and held.missing.seen.newer_than(seen):
        return held, Effect.OLDER
    return replace(held, missing=Missing(digest, seen)), Effect.MISSING


def _current(held: Current | None, offered: Current) -> tuple[Current, Effect]:
    if held is None or offered.seen.newer_than(held.seen):
        same = held is not None and held.digest == offered.digest
        return offered, Effect.CONFIRMED if same else Effect.REPLACED
    return held, Effect.OLDER


def _settle(held: Inventory) -> Inventory:
    """A missing set no longer matters once a newer one is known."""
    if held.missing is None or held.current is None or held.missing.seen.newer_than(held.current.seen):
        return held
    return replace(held, missing=None)
