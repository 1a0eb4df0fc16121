"""What an agent's one secret is turned into: a broker password and a configuration key.

HMAC-SHA256 (RFC 2104) of a purpose under the secret, so that the broker never holds the key that
signs configurations.
"""

from __future__ import annotations

import hashlib
import hmac


def broker_password(secret: str) -> str:
    """Password of the agent's broker account; its user name is the agent id."""
    return _derive(secret, b"hatang broker password").hex()


def config_key(secret: str) -> bytes:
    """Key under which configurations for this agent are signed."""
    return _derive(secret, b"hatang configuration key")


def _derive(secret: str, purpose: bytes) -> bytes:
    return hmac.new(bytes.fromhex(secret), purpose, hashlib.sha256).digest()
