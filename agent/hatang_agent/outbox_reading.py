"""Looking into an outbox without writing to it, also while the agent runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hatang_agent import outbox_rows
from hatang_agent.outbox import FILE_NAME
from hatang_agent.outbox_rows import Counts
from hatang_agent.outbox_storage import SCHEMA_VERSION


class OutboxUnreadable(Exception):  # noqa: N818 - says what the matter is
    """The file cannot be looked into. The text is one line: place, cause; next step."""


def look_into(folder: Path) -> Counts | None:
    """What waits in the outbox of a state folder, None when there is no outbox yet.

    Raises OutboxUnreadable.
    """
    path = folder / FILE_NAME
    try:
        if not path.exists():
            return None
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    except (sqlite3.Error, OSError) as error:
        raise OutboxUnreadable(f"{path}: cannot be opened ({error}); run as the agent's own user") from error
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            return None
        if version > SCHEMA_VERSION:
            raise OutboxUnreadable(f"{path}: written by a newer version of this program; use that one")
        return outbox_rows.counts(database)
    except sqlite3.Error as error:
        raise OutboxUnreadable(
            f"{path}: cannot be read ({error}); run as the agent's own user; a damaged file is put aside "
            "when the agent next starts"
        ) from error
    finally:
        database.close()
