"""Every test that takes ``ledger`` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hatang_collector.ledger.engine import Ledger

POSTGRESQL = "postgresql"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tell the root conftest that this variant needs the server, so that its absence is a counted skip."""
    spec = getattr(item, "callspec", None)
    if isinstance(item, pytest.Function) and spec is not None and spec.params.get("database") == POSTGRESQL:
        item.fixturenames.append("postgres_url")


@pytest.fixture(params=["sqlite", POSTGRESQL])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database."""
    if request.param == POSTGRESQL:
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    """A migrated ledger."""
    made = Ledger(database)
    made.migrate()
    yield made
    made.close()
