"""Runs the migrations on the connection that ``migrate.upgrade`` hands over."""

from __future__ import annotations

from alembic import context

from hatang_collector.ledger import estate_tables  # noqa: F401 - they belong to METADATA
from hatang_collector.ledger.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=METADATA, render_as_batch=connection.dialect.name == "sqlite"
)
context.run_migrations()
