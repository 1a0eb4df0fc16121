"""Fixtures of the ingest tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ingest_support import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A pipeline on a folder of this test."""
    made = Bench(tmp_path)
    yield made
    made.close()
