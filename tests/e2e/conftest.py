"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e import e2e_figures
from e2e.e2e_figures import Figure
from support.servers import program
from support.stack import Stack


@pytest.fixture
def figure() -> Figure:
    """Notes seconds for the summary."""
    return e2e_figures.note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The seconds that were measured."""
    for what, seconds in e2e_figures.measured.items():
        terminalreporter.write_line(f"measured: {seconds:.1f} {what}")


@pytest.fixture(scope="session")
def mosquitto() -> None:
    """Mosquitto is installed; collectors start their own. Its absence is a counted skip."""
    if program("mosquitto") is None:
        pytest.fail("mosquitto is not installed (apt-get install mosquitto)")


@pytest.fixture
def stack(mosquitto: None, tmp_path: Path) -> Iterator[Stack]:
    """A collector of this test alone, started, with its own broker."""
    with started(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def shared(mosquitto: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A collector that many tests use, each with a machine of its own; none stops it."""
    with started(tmp_path_factory.mktemp("shared")) as made:
        yield made


@contextmanager
def started(folder: Path) -> Iterator[Stack]:
    """A started collector, ended at the end, that has shown no trace of a fault."""
    made = Stack(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
    assert "Traceback" not in made.collector.said(), made.collector.said()[-3000:]
