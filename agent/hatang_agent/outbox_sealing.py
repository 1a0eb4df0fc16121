"""Turning runs into one sealed report: pure functions of data, no storage.

A report is packed from runs in the order of their importance until the sealed wire bytes reach the
size bound. A run that cannot be carried at all becomes a failed run that says so: it never blocks
the runs behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hatang_agent.wire import codec
from hatang_agent.wire.report import Gap, Report, Run, RunError, Status

HEADER_ROOM: Final = 1_024
"""Bytes kept free for a report's own fields when a single run is checked against the bound."""

GAPS_PER_REPORT: Final = 20

Carried = tuple["Held", dict[str, Any], bool]
"""A run, its values, and whether its facts stay behind because the collector has them."""

DEFLATE_GUESS: Final = 16
"""How much smaller deflating makes runs at best; a guess that only saves tries."""
_INFLATED_LIMIT: Final = codec.MAX_INFLATED - 64 * 1024


@dataclass(frozen=True, slots=True)
class Held:
    """A run as it waits in the outbox. ``body`` is its canonical JSON, ``taken`` its place in line."""

    taken: int
    probe: str
    wall_ms: int
    samples: int
    facts: int
    facts_digest: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Summary:
    """What a sealed report carries: enough to tell what is lost if it has to be dropped.

    ``runs``: probe to (count, first wall time, last wall time). ``facts``: probe to (digest, taken)
    of the newest full set of facts.
    """

    runs: Mapping[str, tuple[int, int, int]]
    gaps: tuple[Gap, ...] = ()
    facts: Mapping[str, tuple[str, int]] | None = None

    def to_text(self) -> str:
        """As kept beside the report."""
        return codec.canonical(codec.plain(self)).decode()

    @staticmethod
    def from_text(text: str) -> Summary:
        """What :meth:`to_text` wrote."""
        values = json.loads(text)
        return Summary(
            runs={probe: (count, first, last) for probe, (count, first, last) in values["runs"].items()},
            gaps=tuple(Gap(**gap) for gap in values.get("gaps", ())),
            facts={probe: (digest, taken) for probe, (digest, taken) in values.get("facts", {}).items()},
        )

    def losses(self, reason: str) -> list[Gap]:
        """The gaps to record when the report is dropped: its runs, and the gaps that it carried."""
        own = [Gap(probe, count, first, last, reason) for probe, (count, first, last) in self.runs.items()]
        return [*own, *self.gaps]


@dataclass(frozen=True, slots=True)
class Packed:
    """A sealed report before it is stored. ``used`` are the runs inside, ``spoilt`` unreadable ones."""

    wire: bytes
    used: tuple[Held, ...]
    spoilt: tuple[Held, ...]
    summary: Summary


def carriable(run: Run, limit: int) -> Run:
    """The run itself, or a failed run in its place when no report could carry it.

    ``limit`` is the bound of a sealed report in bytes. The reason is the error of the failed run.
    """
    try:
        _check(run)
        size = len(codec.canonical(codec.plain(run)))
    except (codec.WireError, ValueError, TypeError) as error:
        return _failed(run, f"the result breaks a rule of the message: {error}")
    if size + HEADER_ROOM > limit:  # rare enough to deflate only then
        size = len(codec.encode(run))
    if size + HEADER_ROOM > limit:
        return _failed(run, f"the result is too large to send: {size} bytes, at most {limit}")
    return run


def pack(
    header: Report,
    runs: Sequence[Held],
    unchanged: Callable[[Held], bool],
    limit: int,
) -> Packed:
    """One report with as many of ``runs``, most important first, as its bound allows.

    ``header`` is a report without runs, its gaps are kept. The bytes are at most ``limit`` long as
    long as the header itself leaves room for one failed run.
    """
    good, spoilt = _readable(_within_counts(runs, limit))
    count = len(good)
    carried, wire = _build(header, good, unchanged)
    while len(wire) > limit and count > 1:
        count = max(1, min(count - 1, int(count * limit / len(wire) * 0.95)))
        carried, wire = _build(header, good[:count], unchanged)
    if len(wire) > limit and count == 1:
        held, values = good[0]
        told = _too_large(values, len(wire), limit)
        carried, wire = _build(header, [(replace(held, facts_digest=""), told)], unchanged)
    used = tuple(held for held, _, _ in carried)
    return Packed(wire, used, tuple(spoilt), _summary(header, carried))


def _check(run: Run) -> None:
    codec.check(Report(1, "a" * 16, run.id[:16], 1, None, run.clock, "pc", "0", (run,)))


def _failed(run: Run, message: str) -> Run:
    hint = "lower what this probe collects in its settings, or report this as a bug of the probe"
    return Run(run.id, run.probe, run.clock, run.took_ms, Status.FAILED, error=RunError(message[:500], hint))


def _too_large(values: Mapping[str, Any], size: int, limit: int) -> dict[str, Any]:
    kept = {name: values[name] for name in ("id", "probe", "clock", "took_ms")}
    message = f"the result is too large to send: {size} bytes, at most {limit}"
    return {**kept, "status": str(Status.FAILED), "error": {"message": message}}


def _within_counts(runs: Sequence[Held], limit: int) -> list[Held]:
    """The longest beginning of ``runs`` that the message's own limits allow; at least one run."""
    size = samples = facts = 0
    chosen: list[Held] = []
    for held in runs:
        size += len(held.body)
        samples += held.samples
        facts += held.facts
        too_much = (
            size > min(limit * DEFLATE_GUESS, _INFLATED_LIMIT)
            or samples > codec.MAX_SAMPLES
            or facts > codec.MAX_FACTS
            or len(chosen) >= codec.MAX_RUNS
        )
        if too_much and chosen:
            break
        chosen.append(held)
    return chosen


def _readable(runs: Sequence[Held]) -> tuple[list[tuple[Held, dict[str, Any]]], list[Held]]:
    good: list[tuple[Held, dict[str, Any]]] = []
    spoilt: list[Held] = []
    for held in runs:
        try:
            values = json.loads(held.body)
        except ValueError:
            spoilt.append(held)
            continue
        good.append((held, values))
    return good, spoilt


def _build(
    header: Report, runs: Sequence[tuple[Held, dict[str, Any]]], unchanged: Callable[[Held], bool]
) -> tuple[list[Carried], bytes]:
    """The runs in the order they were taken, with and without their facts, and the report's bytes."""
    ordered = sorted(runs, key=lambda pair: pair[0].taken)
    carried = [(held, values, unchanged(held)) for held, values in ordered]
    shown = codec.plain(header)
    shown["runs"] = [_without_facts(values) if known else values for _, values, known in carried]
    return carried, codec.encode(shown)


def _without_facts(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: content for name, content in values.items() if name != "facts"}
    return {**kept, "unchanged": True}


def _summary(header: Report, carried: Sequence[Carried]) -> Summary:
    runs: dict[str, tuple[int, int, int]] = {}
    facts: dict[str, tuple[str, int]] = {}
    for held, _, known in carried:
        count, first, last = runs.get(held.probe, (0, held.wall_ms, held.wall_ms))
        runs[held.probe] = (count + 1, min(first, held.wall_ms), max(last, held.wall_ms))
        if held.facts_digest and not known:
            facts[held.probe] = (held.facts_digest, held.taken)
    return Summary(runs, header.gaps, facts)
