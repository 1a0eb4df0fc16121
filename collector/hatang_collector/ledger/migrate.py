"""Alembic, run by the program itself: no command, no alembic.ini."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from hatang_collector.ledger.errors import LedgerError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x68617461  # "hata": two collectors starting at once migrate one after the other


def upgrade(c: Connection, to: str = "head") -> None:
    """Run the missing migrations up to one, in the caller's transaction.

    Raises LedgerError on a newer database.
    """
    if c.dialect.name == "postgresql":
        c.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = c
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    for revision in MigrationContext.configure(c).get_current_heads():
        if revision not in known:
            raise LedgerError(
                f"the ledger was written by a newer program (its schema {revision} is unknown here): "
                "install that version again, or restore a backup of the ledger made before it"
            )
    command.upgrade(config, to)
