"""Series and their numbers in a SQLite file, with a bounded memory of the ones in use."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from hatang_collector.store.contract import Point, Tags

SCHEMA = """
CREATE TABLE IF NOT EXISTS series(
  id INTEGER PRIMARY KEY, agent TEXT NOT NULL, measurement TEXT NOT NULL, field TEXT NOT NULL,
  tags TEXT NOT NULL, UNIQUE(agent, measurement, field, tags))
"""

_FIND = "SELECT id FROM series WHERE agent=? AND measurement=? AND field=? AND tags=?"
_ADD = "INSERT INTO series(agent, measurement, field, tags) VALUES(?,?,?,?) RETURNING id"

_Shape = tuple[str, str, Tags, tuple[str, ...]]


class SeriesNames:
    """Numbers of series: found in memory, else in the file, else made in the running transaction."""

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._known: dict[_Shape, tuple[int, ...]] = {}

    def numbers(self, connection: sqlite3.Connection, point: Point) -> tuple[int, ...]:
        """The numbers of a point's fields, in their order."""
        return self.of(
            connection, point.agent, point.measurement, point.tags, tuple([name for name, _ in point.fields])
        )

    def of(
        self,
        connection: sqlite3.Connection,
        agent: str,
        measurement: str,
        tags: Tags,
        fields: tuple[str, ...],
    ) -> tuple[int, ...]:
        """The numbers of several fields of one measurement and tag set."""
        shape = (agent, measurement, tags, fields)
        found = self._known.get(shape)
        if found is None:
            text = tags_text(tags)
            found = tuple([_number(connection, (agent, measurement, field, text)) for field in fields])
            if len(self._known) >= self._limit:
                self._forget_oldest()
            self._known[shape] = found
        return found

    def forget(self) -> None:
        """Drop the memory: numbers made in a transaction that was undone are not to be trusted."""
        self._known.clear()

    def _forget_oldest(self) -> None:
        oldest: Iterable[_Shape] = list(self._known)[: max(1, self._limit // 4)]
        for shape in oldest:
            del self._known[shape]


def of_field(
    connection: sqlite3.Connection, agent: str, measurement: str, field: str
) -> list[tuple[int, Tags]]:
    """Number and tags of every series of one field."""
    query = "SELECT id, tags FROM series WHERE agent=? AND measurement=? AND field=?"
    rows = connection.execute(query, (agent, measurement, field)).fetchall()
    return [(number, tags_from(text)) for number, text in rows]


def tags_text(tags: Tags) -> str:
    """Tags as they are kept in the file."""
    return json.dumps(tags, ensure_ascii=False, separators=(",", ":")) if tags else "[]"


def tags_from(text: str) -> Tags:
    """Tags from what :func:`tags_text` wrote."""
    return tuple((key, value) for key, value in json.loads(text))


def _number(connection: sqlite3.Connection, key: tuple[str, str, str, str]) -> int:
    row = connection.execute(_FIND, key).fetchone() or connection.execute(_ADD, key).fetchone()
    number: int = row[0]
    return number
