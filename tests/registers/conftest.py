"""Pages on real parts: a ledger, a running site, a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from web.webkit import Site, World, make_people, running, world_in


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
