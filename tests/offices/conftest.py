"""Ledgers on both databases, and pages on real parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hatang_collector.ledger.engine import Ledger
from web.webkit import Site, World, make_people, running, world_in

POSTGRESQL = "postgresql"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tell the root conftest that this variant needs the server, so that its absence is a counted skip."""
    spec = getattr(item, "callspec", None)
    if isinstance(item, pytest.Function) and spec is not None and spec.params.get("ledger") == POSTGRESQL:
        item.fixturenames.append("postgres_url")


@pytest.fixture(params=["sqlite", POSTGRESQL])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A migrated ledger."""
    postgres = request.param == POSTGRESQL
    made = Ledger(
        str(request.getfixturevalue("postgres_url")) if postgres else f"sqlite:///{tmp_path / 'ledger.db'}"
    )
    made.migrate()
    yield made
    made.close()


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger file with one user per role."""
    path = tmp_path_factory.mktemp("people") / "ledger.db"
    make_people(path)
    return path


@pytest.fixture
def world(tmp_path: Path, people: Path) -> Iterator[World]:
    """Everything behind the pages; nothing is declared yet."""
    made = world_in(tmp_path, people)
    yield made
    made.close()


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    """The application, running."""
    with running(world) as started:
        yield started
