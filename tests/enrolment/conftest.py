"""A running enrolment listener."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrolment.desk import Desk, desk_of
from hatang_collector.broker.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority of this installation."""
    return Authority(tmp_path / "keys")


@pytest.fixture
def desk(authority: Authority) -> Iterator[Desk]:
    """A listener that answers everybody."""
    with desk_of(authority) as made:
        yield made
