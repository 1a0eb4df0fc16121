"""What measuring needs of a real collector: enrolment in bulk, its metrics, its broker's own port."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hatang_agent.identity import Credential, save_credential
from hatang_collector.broker.vault import Vault
from hatang_collector.ledger import credentials, machines
from support.servers import http
from support.stack import Stack, now_ms

_METRIC = re.compile(r"^(hatang_\S+) (\S+)$", re.MULTILINE)


def register(stack: Stack, count: int) -> list[str]:
    """New machines, known to the collector but without broker accounts; their ids."""
    agents = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(count)]
    with stack.ledger() as ledger, ledger.write() as c:
        for number, agent in enumerate(agents):
            machines.add(c, machines.Machine(agent, f"Máy {number}", "", "pc", now_ms()))
    return agents


def enrol_in_bulk(stack: Stack, folders: Sequence[Path], like: Credential) -> None:
    """Give each folder an identity like a given one. The collector has to be started after it."""
    agents = register(stack, len(folders))
    vault = Vault(stack.data / "keys" / "vault.key")
    with stack.ledger() as ledger, ledger.write() as c:
        for agent, folder in zip(agents, folders, strict=True):
            secret = secrets.token_hex(32)
            credentials.put(c, agent, vault.seal(agent, secret), now_ms())
            save_credential(folder, replace(like, agent=agent, secret=secret))


def metrics(stack: Stack) -> dict[str, float]:
    """What the collector says about itself, by name with labels."""
    status, body = http(f"{stack.url}/metrics")
    assert status == 200, body[:200]
    return {name: float(value) for name, value in _METRIC.findall(body.decode())}


def own_port(stack: Stack) -> int:
    """The loopback listener of the collector's broker, which its configuration names last."""
    text = (stack.data / "broker" / "mosquitto.conf").read_text(encoding="utf-8")
    return int(re.findall(r"^listener (\d+)", text, re.MULTILINE)[-1])


def admin_password(stack: Stack) -> str:
    """Password of the account that manages accounts."""
    logins = json.loads((stack.data / "keys" / "broker-logins.json").read_text(encoding="utf-8"))
    return str(logins["hatang-admin"])


def collector_pid(stack: Stack) -> int:
    """Process id of the running collector."""
    assert stack.collector.process is not None, "the collector does not run"
    return stack.collector.process.pid
