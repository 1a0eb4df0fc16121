"""What of an office has arrived, what is missing, and what to do about it. Pure: data and now in.

Counted by tokens: what is missing is what its tokens are still good for, so a machine that came
here another way is neither missing nor too much. A machine that was recognised by its hardware got
its identity back without using the token up, and counts as having come. A revoked token asks for
nothing any more, an expired one still does, because the machines it was for are still not here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

ENROL_PATIENCE_MS: Final = 5 * 60_000
"""After so long without anybody, the page says what to do."""

REPORT_PATIENCE_MS: Final = 3 * 60_000
"""An agent that runs reports within a minute of its start; after this it needs a look."""


class Stage(StrEnum):
    """How far a machine is."""

    WAITING = "waiting"
    ENROLLED = "enrolled"
    REPORTING = "reporting"


class Step(StrEnum):
    """What to do next."""

    PROBE_ENROL = "probe_enrol"
    PROBE_DOCTOR = "probe_doctor"
    PCS_ENROL = "pcs_enrol"
    PCS_DOCTOR = "pcs_doctor"
    NEW_TOKENS = "new_tokens"
    CONTRACTS = "contracts"
    WAIT = "wait"
    DONE = "done"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Member:
    """A machine that stands at the office.

    ``report_ms``: when its newest report came, None for never. ``returned_ms``: when it was last
    given its identity back, None for never.
    """

    agent: str
    name: str
    role: str
    staff_group: str
    enrolled_ms: int
    report_ms: int | None
    returned_ms: int | None = None

    @property
    def came_ms(self) -> int:
        """When it last enrolled."""
        return max(self.enrolled_ms, self.returned_ms or 0)

    @property
    def stage(self) -> Stage:
        """How far it is."""
        return Stage.ENROLLED if self.report_ms is None else Stage.REPORTING


@dataclass(frozen=True, slots=True)
class Invited:
    """A token of the office that nobody revoked; ``machines`` are its PCs by staff group, as far as known."""

    role: str
    uses: int
    used: int
    created_ms: int
    expires_ms: int
    machines: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """How many machines have not used it yet."""
        return max(0, self.uses - self.used)


@dataclass(frozen=True, slots=True)
class Contract:
    """A link of the office by name, and whether provider and contracted rate are declared."""

    name: str
    complete: bool


@dataclass(frozen=True, slots=True)
class GroupCount:
    """PCs of a staff group: ``here`` of ``wanted``; None when nobody said how many."""

    staff_group: str
    here: int
    wanted: int | None


@dataclass(frozen=True, slots=True)
class Todo:
    """A next step, the names of what it is about, and how many they are."""

    step: Step
    names: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The checklist. ``probe`` is None where none is wanted; ``deadline_ms`` None when nothing is missing."""

    probe: Stage | None
    members: tuple[Member, ...]
    groups: tuple[GroupCount, ...]
    missing: int
    contracts: tuple[Contract, ...]
    deadline_ms: int | None
    expired: bool
    todo: tuple[Todo, ...]

    @property
    def pcs(self) -> int:
        """PCs that are here."""
        return sum(member.role == "pc" for member in self.members)

    @property
    def reporting(self) -> int:
        """PCs that have reported."""
        return sum(one.role == "pc" and one.stage is Stage.REPORTING for one in self.members)

    @property
    def complete(self) -> bool:
        """Whether everybody who was asked for is here and has reported."""
        waited = self.missing or self.probe is Stage.WAITING
        return not waited and all(one.stage is Stage.REPORTING for one in self.members)


def arrivals(
    members: Sequence[Member], invited: Sequence[Invited], contracts: Sequence[Contract], now_ms: int
) -> Arrivals:
    """The checklist of an office at ``now_ms``."""
    probes = [one for one in members if one.role == "probe"]
    pcs = [one for one in members if one.role != "probe"]
    probe_tokens = _still_open((one for one in invited if one.role == "probe"), probes)
    pc_tokens = _still_open((one for one in invited if one.role == "pc"), pcs)
    missing = sum(one.missing for one in pc_tokens)
    open_tokens = [*probe_tokens, *pc_tokens]
    return Arrivals(
        probe=_probe_stage(probes, probe_tokens),
        members=tuple(sorted(members, key=lambda one: (one.role != "probe", one.enrolled_ms, one.agent))),
        groups=tuple(_groups(pcs, invited)),
        missing=missing,
        contracts=tuple(contracts),
        deadline_ms=max((one.expires_ms for one in open_tokens), default=None),
        expired=any(now_ms >= one.expires_ms for one in open_tokens),
        todo=tuple(_todo(probes, pcs, probe_tokens, pc_tokens, contracts, now_ms)),
    )


def news(before: Arrivals | None, now: Arrivals) -> list[Member]:
    """The members who have come further since, all of them where nothing was known before."""
    known = {one.agent: one.stage for one in before.members} if before is not None else {}
    return [one for one in now.members if known.get(one.agent) is not one.stage]


def _still_open(tokens: Iterable[Invited], members: Sequence[Member]) -> list[Invited]:
    """The tokens that somebody has yet to use, less those who came back without using one."""
    back = [one.returned_ms for one in members if one.returned_ms is not None]
    found = []
    for token in sorted(tokens, key=lambda one: one.created_ms):
        here = [at_ms for at_ms in back if at_ms >= token.created_ms][: token.missing]
        back = [at_ms for at_ms in back if at_ms not in here]
        if token.missing > len(here):
            found.append(replace(token, used=token.used + len(here)))
    return found


def _probe_stage(probes: Sequence[Member], tokens: Sequence[Invited]) -> Stage | None:
    if not probes:
        return Stage.WAITING if tokens else None
    return Stage.REPORTING if all(one.stage is Stage.REPORTING for one in probes) else Stage.ENROLLED


def _groups(pcs: Sequence[Member], invited: Sequence[Invited]) -> Iterable[GroupCount]:
    """Each staff group that is here or was asked for, in the order asked, then by code."""
    here = Counter(one.staff_group for one in pcs)
    wanted: Counter[str] = Counter()
    for token in invited:
        wanted.update(token.machines)
    first_ms = min((token.created_ms for token in invited if token.machines), default=0)
    came = Counter(one.staff_group for one in pcs if one.came_ms >= first_ms)
    lacking = {group: max(0, number - came[group]) for group, number in wanted.items()}
    for group in (*lacking, *sorted(here.keys() - lacking.keys())):
        yield GroupCount(group, here[group], here[group] + lacking[group] if group in lacking else None)


def _todo(
    probes: Sequence[Member],
    pcs: Sequence[Member],
    probe_tokens: Sequence[Invited],
    pc_tokens: Sequence[Invited],
    contracts: Sequence[Contract],
    now_ms: int,
) -> Iterable[Todo]:
    found = list(_late(probes, probe_tokens, Step.PROBE_ENROL, Step.PROBE_DOCTOR, now_ms))
    found += _late(pcs, pc_tokens, Step.PCS_ENROL, Step.PCS_DOCTOR, now_ms)
    expired = [one for one in (*probe_tokens, *pc_tokens) if now_ms >= one.expires_ms]
    if expired:
        found.append(Todo(Step.NEW_TOKENS, count=sum(one.missing for one in expired)))
    waiting = any((*probe_tokens, *pc_tokens)) or any(one.report_ms is None for one in (*probes, *pcs))
    if waiting and not found:
        found.append(Todo(Step.WAIT))
    lacking = tuple(one.name for one in contracts if not one.complete)
    if lacking:
        found.append(Todo(Step.CONTRACTS, lacking, len(lacking)))
    if not waiting:
        found.append(Todo(Step.DONE if probes or pcs else Step.NOTHING))
    return found


def _late(
    members: Sequence[Member], tokens: Sequence[Invited], enrol: Step, doctor: Step, now_ms: int
) -> Iterable[Todo]:
    """Who should have come by now, and who should have reported by now."""
    alive = [one for one in tokens if now_ms < one.expires_ms]
    if alive and now_ms - max(_last_sign(one, members) for one in alive) >= ENROL_PATIENCE_MS:
        yield Todo(enrol, count=sum(one.missing for one in alive))
    silent = [one for one in members if one.report_ms is None and now_ms - one.came_ms >= REPORT_PATIENCE_MS]
    if silent:
        yield Todo(doctor, tuple(one.name for one in silent), len(silent))


def _last_sign(token: Invited, members: Sequence[Member]) -> int:
    """When somebody last came, else when the token was made: nobody is hurried while machines arrive."""
    return max([token.created_ms, *(one.came_ms for one in members)])
