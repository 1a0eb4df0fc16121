"""The outbox's rows: one plain function for each thing done to them, inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hatang_agent.outbox_sealing import Held, Summary
from hatang_agent.outbox_storage import Database, used_bytes
from hatang_agent.wire import codec
from hatang_agent.wire.report import Clock, Gap, Predecessor, Report, Run

# A bound is reached again and again: dropping a little more than needed makes each drop rare.
_DROP_TO: Final = 0.97
_ROW_OVERHEAD: Final = 64


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits in the outbox. ``oldest_ms``: wall time of the oldest data, None when there is none."""

    runs: int
    run_bytes: int
    reports: int
    report_bytes: int
    used_bytes: int
    oldest_ms: int | None
    gaps: tuple[Gap, ...]


def add_run(database: Database, run: Run, body: bytes) -> None:
    """Store a run; ``body`` is its canonical JSON."""
    database.execute(
        "INSERT INTO runs(id, probe, wall_ms, boot_ms, boot_id, samples, facts, facts_digest, body)"
        " VALUES(?,?,?,?,?,?,?,?,?)",
        (
            run.id,
            run.probe,
            run.clock.wall_ms,
            run.clock.boot_ms,
            run.clock.boot_id,
            len(run.samples),
            len(run.facts),
            run.facts_digest,
            body,
        ),
    )


def waiting(
    database: Database, *, newest_first: bool, most_bytes: int, clock: Clock, since: int | None
) -> list[Held]:
    """Runs not sealed yet, in the wanted order, until they have ``most_bytes``; at least one.

    With ``since``, a time on the boot clock of ``clock``: newest first, only runs of this boot since
    then; oldest first, only the others.
    """
    recent = "(boot_id=? AND boot_ms>=?)"
    where = "1" if since is None else recent if newest_first else f"NOT {recent}"
    values: tuple[Any, ...] = (clock.boot_id, since) if since is not None else ()
    order = "DESC" if newest_first else "ASC"
    sizes = database.execute(
        f"SELECT taken, length(body) FROM runs WHERE {where} ORDER BY taken {order} LIMIT ?",  # noqa: S608 - constants
        (*values, codec.MAX_RUNS),
    ).fetchall()
    chosen: list[int] = []
    size = 0
    for taken, length in sizes:
        size += length
        if chosen and size > most_bytes:
            break
        chosen.append(taken)
    if not chosen:
        return []
    found = database.execute(
        "SELECT taken, probe, wall_ms, samples, facts, facts_digest, body FROM runs"  # noqa: S608 - constants
        f" WHERE taken BETWEEN ? AND ? AND {where} ORDER BY taken {order}",
        (min(chosen), max(chosen), *values),
    ).fetchall()
    return [Held(*row) for row in found]


def waiting_bytes(database: Database) -> int:
    """Bytes of all runs that are not sealed yet."""
    (size,) = database.execute("SELECT COALESCE(SUM(length(body)), 0) FROM runs").fetchone()
    return int(size)


def delete_runs(database: Database, taken: Sequence[int]) -> None:
    """Take runs out."""
    database.executemany("DELETE FROM runs WHERE taken=?", [(number,) for number in taken])


def add_report(
    database: Database,
    header: Report,
    digest: str,
    sealed_ms: int,
    first_taken: int,
    summary: Summary,
    wire: bytes,
) -> int:
    """Store a sealed report and remember it as the last one; its number."""
    database.execute(
        "INSERT INTO reports(epoch, seq, digest, sealed_ms, first_taken, summary, wire)"
        " VALUES(?,?,?,?,?,?,?)",
        (header.epoch, header.seq, digest, sealed_ms, first_taken, summary.to_text(), wire),
    )
    database.execute(
        "INSERT OR REPLACE INTO last_sealed(one, epoch, seq, digest) VALUES(1,?,?,?)",
        (header.epoch, header.seq, digest),
    )
    (number,) = database.execute("SELECT max(number) FROM reports").fetchone()
    return int(number)


def last_sealed(database: Database) -> Predecessor | None:
    """The report sealed last, None in a new file."""
    row = database.execute("SELECT epoch, seq, digest FROM last_sealed").fetchone()
    return None if row is None else Predecessor(*row)


def sealed(database: Database, after: int, limit: int) -> list[tuple[int, str, int, int]]:
    """(number, digest, bytes, sealed wall time) of reports after a number, oldest first."""
    return database.execute(
        "SELECT number, digest, length(wire), sealed_ms FROM reports WHERE number>? ORDER BY number LIMIT ?",
        (after, limit),
    ).fetchall()


def wire(database: Database, digest: str) -> bytes | None:
    """Bytes of a sealed report."""
    row = database.execute("SELECT wire FROM reports WHERE digest=?", (digest,)).fetchone()
    return None if row is None else bytes(row[0])


def report(database: Database, digest: str) -> tuple[str, int, Summary] | None:
    """(epoch, sealed wall time, summary) of a sealed report."""
    row = database.execute(
        "SELECT epoch, sealed_ms, summary FROM reports WHERE digest=?", (digest,)
    ).fetchone()
    return None if row is None else (row[0], row[1], Summary.from_text(row[2]))


def delete_report(database: Database, digest: str) -> None:
    """Take a sealed report out."""
    database.execute("DELETE FROM reports WHERE digest=?", (digest,))


def merged(one: Gap, other: Gap) -> Gap:
    """Two gaps of the same probe and reason as one."""
    return Gap(
        one.probe,
        one.runs + other.runs,
        min(one.from_wall_ms, other.from_wall_ms),
        max(one.to_wall_ms, other.to_wall_ms),
        one.reason,
    )


def add_gap(database: Database, gap: Gap) -> None:
    """Record a gap; one row for each probe and reason, so that gaps never grow without end."""
    database.execute(
        "INSERT INTO gaps(probe, reason, runs, from_ms, to_ms) VALUES(?,?,?,?,?)"
        " ON CONFLICT(probe, reason) DO UPDATE SET runs=runs+excluded.runs,"
        " from_ms=min(from_ms, excluded.from_ms), to_ms=max(to_ms, excluded.to_ms)",
        (gap.probe, str(gap.reason), gap.runs, gap.from_wall_ms, gap.to_wall_ms),
    )


def gaps(database: Database, limit: int) -> tuple[Gap, ...]:
    """Gaps not told yet."""
    found = database.execute(
        "SELECT probe, runs, from_ms, to_ms, reason FROM gaps ORDER BY probe, reason LIMIT ?", (limit,)
    ).fetchall()
    return tuple(Gap(*row) for row in found)


def delete_gaps(database: Database, told: Iterable[Gap]) -> None:
    """Take out gaps that travel in a sealed report."""
    database.executemany(
        "DELETE FROM gaps WHERE probe=? AND reason=?", [(gap.probe, gap.reason) for gap in told]
    )


def drop_oldest(database: Database, bound: int, reason: str) -> int:
    """Keep the file within its bound: drop the oldest data, leave gaps, return how many runs went."""
    dropped = 0
    while (used := used_bytes(database)) > bound:
        surplus = used - int(bound * _DROP_TO)
        oldest = _oldest(database, surplus)
        if not oldest:
            break
        for kind, key, *_ in oldest:
            dropped += _drop_run(database, key, reason) if kind == "run" else _drop(database, key, reason)
    return dropped


def _oldest(database: Database, size: int) -> list[Any]:
    """(kind, key, …) of the oldest runs and reports that have ``size`` bytes together."""
    found = database.execute(
        "SELECT kind, key, size FROM (SELECT kind, key, size, line, sum(size) OVER (ORDER BY line, key)"
        " - size AS before FROM ("
        "SELECT 'run' AS kind, taken AS key, length(body) + ? AS size, taken AS line FROM runs UNION ALL "
        "SELECT 'report', number, length(wire) + length(summary) + ?, first_taken FROM reports))"
        " WHERE before < ? ORDER BY line, key",
        (_ROW_OVERHEAD, _ROW_OVERHEAD, size),
    )
    return found.fetchall()


def _drop_run(database: Database, taken: int, reason: str) -> int:
    probe, wall_ms = database.execute("SELECT probe, wall_ms FROM runs WHERE taken=?", (taken,)).fetchone()
    database.execute("DELETE FROM runs WHERE taken=?", (taken,))
    add_gap(database, Gap(probe, 1, wall_ms, wall_ms, reason))
    return 1


def _drop(database: Database, number: int, reason: str) -> int:
    (text,) = database.execute("SELECT summary FROM reports WHERE number=?", (number,)).fetchone()
    database.execute("DELETE FROM reports WHERE number=?", (number,))
    losses = Summary.from_text(text).losses(reason)
    for gap in losses:
        add_gap(database, gap)
    return sum(gap.runs for gap in losses if gap.reason == reason)


def counts(database: Database) -> Counts:
    """What waits here."""
    runs, run_bytes, first_run = database.execute(
        "SELECT count(*), COALESCE(SUM(length(body)), 0), min(wall_ms) FROM runs"
    ).fetchone()
    reports, report_bytes, first_report = database.execute(
        "SELECT count(*), COALESCE(SUM(length(wire)), 0), min(sealed_ms) FROM reports"
    ).fetchone()
    oldest = min((at for at in (first_run, first_report) if at is not None), default=None)
    return Counts(runs, run_bytes, reports, report_bytes, used_bytes(database), oldest, gaps(database, 1000))
