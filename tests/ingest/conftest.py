"""Fixtures of the ingest tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ingest_support import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A pipeline on a folder of this test."""
    made = Bench(tmp_path)
    yield made
    made.close()
