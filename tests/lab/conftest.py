"""Boxes with a network of their own, and a collector on the host that they reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.namespaces import Lab
from support.stack import Stack


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Makes boxes, and takes them away at the end."""
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def mosquitto() -> None:
    """Names the program that is needed, for the count of skipped tests; starts nothing."""


@pytest.fixture
def stack(mosquitto: None, tmp_path: Path) -> Iterator[Stack]:
    """A collector for every network, its pages for this machine only; not started."""
    made = Stack(tmp_path / "collector", HATANG_BROKER_HOST="0.0.0.0")
    made.folder.mkdir()
    yield made
    made.stop()
