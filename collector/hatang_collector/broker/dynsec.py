"""The file of Mosquitto's dynamic-security plugin, written before the broker starts.

What ``mosquitto_ctrl dynsec init`` writes, with all accounts at once: adding 1,200 agents to a running
Mosquitto 2.0.11 takes 19 s, because it saves the whole file after each command; reading a file takes
none. Passwords are PBKDF2-HMAC-SHA512 (RFC 8018); 101 iterations, as Mosquitto itself writes, are
enough for passwords made from 256 random bits, and an agent's connect stays cheap.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any, Final

from hatang_collector.broker.accounts import Account, Acl, AclType

CONTROL_TOPIC: Final = "$CONTROL/dynamic-security/v1"
RESPONSE_TOPIC: Final = f"{CONTROL_TOPIC}/response"
ADMIN_ROLE: Final = "hatang-admin"
_ITERATIONS: Final = 101
_SALT: Final = 12


def admin_account(username: str, password: str) -> Account:
    """May manage accounts, and nothing else."""
    acls = (
        Acl(AclType.SEND, CONTROL_TOPIC),
        Acl(AclType.SUBSCRIBE, RESPONSE_TOPIC),
        Acl(AclType.RECEIVE, RESPONSE_TOPIC),  # the defaults do not hold for $CONTROL topics
    )
    return Account(username, password, ADMIN_ROLE, frozenset(acls))


def document(accounts: Iterable[Account]) -> bytes:
    """Content of ``dynamic-security.json`` with these accounts and no others."""
    every = list(accounts)
    return json.dumps(
        {
            "clients": [_client(account) for account in every],
            "roles": [
                {"rolename": account.role, "acls": [acl.plain() for acl in sorted(account.acls)]}
                for account in every
            ],
            "defaultACLAccess": {
                "publishClientSend": False,
                "publishClientReceive": True,
                "subscribe": False,
                "unsubscribe": True,
            },
        }
    ).encode()


def is_usable(content: bytes, admin: str) -> bool:
    """Whether a file left by the broker can be started with: JSON with our admin account in it."""
    try:
        clients = json.loads(content)["clients"]
        return any(client["username"] == admin for client in clients)
    except (ValueError, KeyError, TypeError):
        return False


def _client(account: Account) -> dict[str, Any]:
    salt = os.urandom(_SALT)
    key = hashlib.pbkdf2_hmac("sha512", account.password.encode(), salt, _ITERATIONS)
    return {
        "username": account.username,
        "textdescription": account.mark,
        "password": base64.b64encode(key).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": _ITERATIONS,
        "roles": [{"rolename": account.role, "priority": -1}],
    }
