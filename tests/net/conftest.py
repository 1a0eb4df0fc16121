"""Boxes with cables to networks of their own, and this machine's clocks for the engines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatang_agent.net.clocks import Clocks
from net.staged import Machine, Net, plug
from support.namespaces import Lab, Wiring


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Makes boxes, and takes them away at the end."""
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def wiring(lab: Lab) -> Iterator[Wiring]:
    """Makes networks and cables to boxes, and takes them away."""
    made = Wiring(lab.folder)
    yield made
    made.close()


@pytest.fixture
def clocks() -> Clocks:
    """The clocks of this machine."""
    return Clocks(time.perf_counter_ns, time.time_ns)


@pytest.fixture
def net() -> Net:
    """A network in which nobody answers yet."""
    return Net()


@pytest.fixture
def machine(tmp_path: Path, net: Net) -> Machine:
    """A machine with two cards that both have a link."""
    plug(tmp_path, eth0=True, eth1=True)
    return Machine(tmp_path, net)
