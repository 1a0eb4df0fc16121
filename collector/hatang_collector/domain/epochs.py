"""What the process starts (epochs) of one agent tell about its state folder: clone, restored, lost.

An epoch is random at every process start and its first report names the last report sealed before
it, so the epochs of an honest agent form a chain. What breaks the chain:

- ``clone``: two copies run. An older epoch connects after a younger one was born; or an old epoch
  goes on sealing reports that its successor did not know, after that successor began; or one
  sequence number has two digests.
- ``restored``: the folder was set back. The chain forks, without any overlap in time.
- ``state_lost``: the folder was wiped. An epoch names no predecessor though earlier ones are known.

Reports of an old epoch that arrive late prove nothing as long as the successor named them: that is an
agent which was killed with reports unsent. Times that are uncertain are never used to claim an overlap.

Everything known of an epoch is a minimum, a maximum or a union, and :func:`findings` looks at the
whole: so the order in which evidence arrives cannot change the conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

TOLERANCE_MS: Final = 5_000
"""How late the delivery of a live message may be before it counts as life."""

_NEVER: Final = 1 << 62


class Kind(StrEnum):
    """What is wrong, strongest first: of one epoch only the strongest is told."""

    CLONE = "clone"
    RESTORED = "restored"
    STATE_LOST = "state_lost"


class Reason(StrEnum):
    """How it was seen."""

    TWO_DIGESTS = "two_digests"
    BOTH_LIVE = "both_live"
    SEALED_ON = "sealed_on"
    FORK_OVERLAPS = "fork_overlaps"
    SET_BACK = "set_back"
    FORK = "fork"
    NO_PREDECESSOR = "no_predecessor"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A conclusion about ``epoch``, the younger one; ``other`` is the epoch it contradicts."""

    kind: Kind
    reason: Reason
    epoch: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """What the first report of an epoch said: the report before it, or that there was none (seq 0)."""

    epoch: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """All that is known of one process start. Times are UTC milliseconds and certain, or None.

    ``began_ms``: earliest proof of life. ``live_ms``: latest message heard as it was sent (birth,
    beat). ``sealed_ms``: latest sealing. ``max_seq`` and ``max_seq_ms``: highest report and when it
    was sealed. ``opening``: None until the first report is known.
    """

    epoch: str
    began_ms: int | None = None
    live_ms: int | None = None
    sealed_ms: int | None = None
    max_seq: int = 0
    max_seq_ms: int | None = None
    opening: Opening | None = None
    conflict: bool = False


def heard_live(known: Epoch, at_ms: int) -> Epoch:
    """The epoch after a birth or beat that was heard as it was sent."""
    return replace(known, began_ms=_least(known.began_ms, at_ms), live_ms=_most(known.live_ms, at_ms))


def sealed(known: Epoch, seq: int, sealed_ms: int | None, opening: Opening | None) -> Epoch:
    """The epoch after one of its reports; ``sealed_ms`` None when its time is uncertain."""
    highest = max((known.max_seq, _or(known.max_seq_ms, -_NEVER)), (seq, _or(sealed_ms, -_NEVER)))
    return replace(
        known,
        began_ms=_least(known.began_ms, sealed_ms),
        sealed_ms=_most(known.sealed_ms, sealed_ms),
        max_seq=highest[0],
        max_seq_ms=None if highest[1] == -_NEVER else highest[1],
        opening=_first_opening(known.opening, opening),
    )


def two_digests(known: Epoch) -> Epoch:
    """The epoch after two different reports were seen under one sequence number."""
    return replace(known, conflict=True)


def findings(epochs: Mapping[str, Epoch]) -> dict[str, Suspicion]:
    """What the epochs of one agent tell, by the epoch it is told about."""
    found: dict[str, Suspicion] = {}
    for suspicion in (
        *_conflicts(epochs),
        *_overlaps(epochs),
        *_set_back(epochs),
        *_forks(epochs),
        *_lost(epochs),
    ):
        held = found.get(suspicion.epoch)
        if held is None or _RANK[suspicion.kind] < _RANK[held.kind]:
            found[suspicion.epoch] = suspicion
    return found


def newest(epochs: Mapping[str, Epoch]) -> Epoch | None:
    """The epoch that began last; None when no time is certain, or when times contradict the chain."""
    dated = [epoch for epoch in epochs.values() if epoch.began_ms is not None]
    last = max(dated, key=_start, default=None)
    if last is None or any(one.opening and one.opening.epoch == last.epoch for one in epochs.values()):
        return None
    return last


def routine(before: Epoch | None, after: Epoch, newest_epoch: str) -> bool:
    """Whether the news cannot change any finding: the newest epoch just went on.

    Then nothing else of the agent has to be looked at, which is nearly always.
    """
    if before is None or after.epoch != newest_epoch:
        return False
    same_start = before.began_ms == after.began_ms and before.opening == after.opening
    return same_start and before.conflict == after.conflict


def settled(before: Epoch | None, after: Epoch, epochs: Mapping[str, Epoch]) -> bool:
    """Whether the news cannot change any finding: a late report that the successor named."""
    if before is None or not routine(before, after, after.epoch) or before.live_ms != after.live_ms:
        return False
    if before.max_seq == 0:
        return False
    successors = [one.opening for one in epochs.values() if one.opening and one.opening.epoch == after.epoch]
    if any(after.max_seq > opening.seq for opening in successors):
        return False
    return not any(
        one.opening == after.opening and one.epoch != after.epoch and after.opening for one in epochs.values()
    )


_RANK: Final = {kind: rank for rank, kind in enumerate(Kind)}


def _conflicts(epochs: Mapping[str, Epoch]) -> list[Suspicion]:
    return [
        Suspicion(Kind.CLONE, Reason.TWO_DIGESTS, epoch.epoch, epoch.epoch)
        for epoch in epochs.values()
        if epoch.conflict
    ]


def _overlaps(epochs: Mapping[str, Epoch]) -> list[Suspicion]:
    """An older epoch heard live after a younger one began."""
    found = []
    longest: Epoch | None = None
    for epoch in sorted(epochs.values(), key=_start):
        if epoch.began_ms is None:
            break
        if longest is not None and _or(longest.live_ms, 0) > epoch.began_ms + TOLERANCE_MS:
            found.append(Suspicion(Kind.CLONE, Reason.BOTH_LIVE, epoch.epoch, longest.epoch))
        if epoch.live_ms is not None and (longest is None or epoch.live_ms > _or(longest.live_ms, 0)):
            longest = epoch
    return found


def _set_back(epochs: Mapping[str, Epoch]) -> list[Suspicion]:
    """More reports of an epoch than its successor knew of."""
    found = []
    for epoch in epochs.values():
        before = epochs.get(epoch.opening.epoch) if epoch.opening else None
        if before is None or epoch.opening is None or before.max_seq <= epoch.opening.seq:
            continue
        if _after(before.max_seq_ms, epoch.began_ms):
            found.append(Suspicion(Kind.CLONE, Reason.SEALED_ON, epoch.epoch, before.epoch))
        else:
            found.append(Suspicion(Kind.RESTORED, Reason.SET_BACK, epoch.epoch, before.epoch))
    return found


def _forks(epochs: Mapping[str, Epoch]) -> list[Suspicion]:
    """Several epochs that name the same report as the one before them."""
    forks: dict[Opening, list[Epoch]] = {}
    for epoch in epochs.values():
        if epoch.opening is not None and epoch.opening.seq > 0:
            forks.setdefault(epoch.opening, []).append(epoch)
    found = []
    for siblings in forks.values():
        ordered = sorted(siblings, key=_start)
        last = ordered[0]
        for epoch in ordered[1:]:
            if _after(_last_life(last), epoch.began_ms):
                found.append(Suspicion(Kind.CLONE, Reason.FORK_OVERLAPS, epoch.epoch, last.epoch))
            else:
                found.append(Suspicion(Kind.RESTORED, Reason.FORK, epoch.epoch, last.epoch))
            last = max(last, epoch, key=lambda one: (_or(_last_life(one), 0), one.epoch))
    return found


def _lost(epochs: Mapping[str, Epoch]) -> list[Suspicion]:
    """An epoch that names no report before it, though the agent sealed some before."""
    reporting = [epoch for epoch in epochs.values() if epoch.max_seq > 0 and epoch.began_ms is not None]
    first = min(reporting, key=_start, default=None)
    return [
        Suspicion(Kind.STATE_LOST, Reason.NO_PREDECESSOR, epoch.epoch, first.epoch)
        for epoch in reporting
        if first is not None and epoch.opening == Opening() and epoch.epoch != first.epoch
    ]


def _start(epoch: Epoch) -> tuple[int, str]:
    return (_or(epoch.began_ms, _NEVER), epoch.epoch)


def _last_life(epoch: Epoch) -> int | None:
    return _most(epoch.live_ms, epoch.sealed_ms)


def _after(later_ms: int | None, earlier_ms: int | None) -> bool:
    """Surely later, by more than delivery explains."""
    return later_ms is not None and earlier_ms is not None and later_ms > earlier_ms + TOLERANCE_MS


def _first_opening(one: Opening | None, other: Opening | None) -> Opening | None:
    given = [opening for opening in (one, other) if opening is not None]
    return max(given, key=lambda opening: (opening.epoch, opening.seq), default=None)


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _most(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)
