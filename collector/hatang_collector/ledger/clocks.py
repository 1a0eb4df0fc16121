"""Clock segments: from which moment of a boot on which offset turns boot time into UTC."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import CLOCK_SEGMENTS, upsert


@dataclass(frozen=True, slots=True)
class Segment:
    """UTC = boot-relative milliseconds + ``offset_ms``, from ``from_boot_ms`` of that boot on."""

    agent: str
    boot_id: str
    from_boot_ms: int
    offset_ms: int


def put(c: Connection, segment: Segment) -> None:
    """Store a segment; the same one again changes nothing."""
    upsert(c, CLOCK_SEGMENTS, [asdict(segment)])


def every(c: Connection) -> list[Segment]:
    """All segments by agent, boot and start."""
    order = (CLOCK_SEGMENTS.c.agent, CLOCK_SEGMENTS.c.boot_id, CLOCK_SEGMENTS.c.from_boot_ms)
    return [Segment(*row) for row in c.execute(sa.select(CLOCK_SEGMENTS).order_by(*order))]
