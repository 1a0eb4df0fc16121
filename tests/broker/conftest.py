"""A running broker of our own, a ledger, MQTT peers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.lab import Installation, Peers
from hatang_collector.broker.vault import Vault
from hatang_collector.ledger.engine import Ledger
from support.servers import free_port


@pytest.fixture
def peers() -> Iterator[Peers]:
    """MQTT clients of this test."""
    made = Peers()
    yield made
    made.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """The vault of an installation."""
    return Vault(tmp_path / "keys" / "vault.key")


@pytest.fixture
def mosquitto() -> None:
    """Names the program that is needed, for the count of skipped tests; starts nothing."""


@pytest.fixture
def installation(mosquitto: None, tmp_path: Path, ledger: Ledger, vault: Vault) -> Iterator[Installation]:
    """A running broker with an empty ledger."""
    made = Installation(tmp_path / "data" / "mosquitto", tmp_path / "keys", ledger, vault, free_port())
    made.start()
    yield made
    made.broker.stop()
