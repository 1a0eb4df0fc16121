"""The last configuration signed for each agent. Its number only ever rises: an agent refuses an old one."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import CONFIG_NUMBERS, insert


def next_number(c: Connection, agent: str, content_json: str) -> int:
    """Take the next number for a configuration and store it. Two callers never get the same number."""
    statement = insert(c, CONFIG_NUMBERS).values(agent=agent, number=1, content=content_json)
    risen = statement.on_conflict_do_update(
        index_elements=["agent"], set_={"number": CONFIG_NUMBERS.c.number + 1, "content": content_json}
    )
    return int(c.execute(risen.returning(CONFIG_NUMBERS.c.number)).scalar_one())


def current(c: Connection, agent: str) -> tuple[int, str] | None:
    """(number, content as JSON) last signed for an agent, or None."""
    chosen = sa.select(CONFIG_NUMBERS.c.number, CONFIG_NUMBERS.c.content).where(
        CONFIG_NUMBERS.c.agent == agent
    )
    row = c.execute(chosen).one_or_none()
    return None if row is None else (row.number, row.content)
