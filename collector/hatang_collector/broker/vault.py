"""Secrets of agents at rest: AES-256-GCM under a key file of this installation.

The ledger holds sealed secrets only, so a stolen database or backup of it opens no broker account.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hatang_collector.broker.contract import BrokerError
from hatang_collector.broker.private_files import read_or_create

_NONCE: Final = 12
_KEY: Final = 32
_VERSION: Final = b"\x01"


class VaultError(BrokerError):
    """A sealed secret cannot be opened with this installation's key."""


class Vault:
    """Seals and opens secrets. The key file is made at the first use, 0600; back it up."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._cipher: AESGCM | None = None

    def seal(self, agent: str, secret: str) -> bytes:
        """Encrypt; the result opens for the same agent only (its id is authenticated with it)."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._opened().encrypt(nonce, bytes.fromhex(secret), agent.encode())

    def open(self, agent: str, sealed: bytes) -> str:
        """The secret, 64 hex digits. Raises VaultError."""
        if sealed[:1] != _VERSION:
            raise VaultError(f"the sealed secret of {agent} is of an unknown kind; enrol the machine again")
        nonce, text = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            return self._opened().decrypt(nonce, text, agent.encode()).hex()
        except (InvalidTag, ValueError) as error:
            raise VaultError(
                f"the secret of {agent} was not sealed with {self._file}; "
                "restore that file from the backup, or enrol the machine again"
            ) from error

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            try:
                text = read_or_create(self._file, secrets.token_hex(_KEY).encode())
                key = bytes.fromhex(text.decode("ascii"))
            except OSError as error:
                raise VaultError(
                    f"{self._file}: {error.strerror}; it holds the key of all secrets"
                ) from error
            except ValueError as error:
                raise VaultError(f"{self._file} is damaged; restore it from the backup") from error
            if len(key) != _KEY:
                raise VaultError(f"{self._file} is damaged; restore it from the backup")
            self._cipher = AESGCM(key)
        return self._cipher
