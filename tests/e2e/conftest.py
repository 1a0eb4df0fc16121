"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
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


@pytest.fixture
def mosquitto() -> None:
    """Mosquitto is installed; collectors start their own. Its absence is a counted skip."""
    if program("mosquitto") is None:
        pytest.fail("mosquitto is not installed (apt-get install mosquitto)")


@pytest.fixture
def stack(mosquitto: None, tmp_path: Path) -> Iterator[Stack]:
    """A collector of this test alone, started, with its own broker."""
    made = Stack(tmp_path)
    made.start()
    yield made
    made.stop()
    assert "Traceback" not in made.collector.said(), made.collector.said()[-3000:]
