"""When a run happened, in UTC."""

from __future__ import annotations

from collections.abc import Mapping

from hatang_agent.wire.report import Run


def run_utc_ms(run: Run, clocks: Mapping[str, int]) -> tuple[int, bool]:
    """UTC milliseconds of a run, and whether that is certain.

    Args:
        run: as it came in a report.
        clocks: boot id -> offset in milliseconds, as journaled with the report.

    Returns:
        Time since boot plus the offset of that boot, and True; for a boot that never was heard live,
        the agent's own wall clock, and False.
    """
    offset_ms = clocks.get(run.clock.boot_id)
    if offset_ms is None:
        return run.clock.wall_ms, False
    return run.clock.boot_ms + offset_ms, True
