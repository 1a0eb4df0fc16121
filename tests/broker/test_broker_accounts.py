"""Accounts as data: what each may do, and how a broker is brought to what the ledger holds."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.lab import NOW_MS, Installation, Peers
from hatang_agent.wire import topics
from hatang_agent.wire.messages import BrokerAddress
from hatang_collector.broker.accounts import (
    Account,
    Accounts,
    Acl,
    AclType,
    Command,
    FoundAccount,
    agent_account,
    collector_account,
    plan,
    wanted_accounts,
)
from hatang_collector.broker.contract import BrokerError, BrokerLogin, BrokerUnavailable
from hatang_collector.broker.dynsec import admin_account, document, is_usable
from hatang_collector.broker.embedded import ADMIN
from hatang_collector.broker.external import ExternalBroker
from hatang_collector.broker.vault import Vault, VaultError
from hatang_collector.ledger import credentials, machines
from hatang_collector.ledger.engine import Ledger
from support.servers import free_port
from support.wait import until

AGENTS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16)
SECRETS = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


@given(AGENTS, SECRETS)
def test_an_agents_rights_are_seven_and_name_nobody_else(agent: str, secret: str) -> None:
    """Four kinds to send, three topics to read; never a # and never a topic without its own id."""
    account = agent_account(agent, secret)

    sends = {acl.topic for acl in account.acls if acl.type is AclType.SEND}
    reads = {acl.topic for acl in account.acls if acl.type is AclType.SUBSCRIBE}
    assert len(account.acls) == 7
    assert sends == {
        topics.report(agent),
        *(of(agent, "+") for of in (topics.beat, topics.birth, topics.presence)),
    }
    assert reads == {topics.ack(agent), topics.config(agent), topics.COLLECTOR}
    assert not any("#" in acl.topic for acl in account.acls)
    assert account.username == agent
    assert secret not in account.password
    assert account.password not in account.mark


class FakeControl:
    """The plugin's part that accounts use, in memory, answering as Mosquitto 2.0.11 does."""

    def __init__(self) -> None:
        self.clients: dict[str, dict[str, Any]] = {}
        self.held: dict[str, frozenset[Acl]] = {}

    def execute(self, commands: list[Command]) -> list[str]:
        return [self._do(command) for command in commands]

    def _do(self, command: Mapping[str, Any]) -> str:
        role, client = command.get("rolename", ""), command.get("username", "")
        match command["command"]:
            case "createRole" if role in self.held:
                return "Role already exists"
            case "createRole":
                self.held[role] = frozenset(
                    Acl(AclType(acl["acltype"]), acl["topic"]) for acl in command["acls"]
                )
            case "createClient" if client in self.clients:
                return "Client already exists"
            case "createClient":
                self.clients[client] = dict(command)
            case "deleteClient" if client not in self.clients:
                return "Client not found"
            case "deleteClient":
                del self.clients[client]
            case "deleteRole" if role not in self.held:
                return "Role not found"
            case "deleteRole":
                del self.held[role]
        return ""

    def accounts(self) -> dict[str, FoundAccount]:
        return {
            name: FoundAccount(
                name,
                client.get("textdescription", ""),
                tuple(role["rolename"] for role in client["roles"]),
                bool(client.get("disabled", False)),
            )
            for name, client in self.clients.items()
        }

    def roles(self) -> dict[str, frozenset[Acl]]:
        return dict(self.held)


def has(control: FakeControl, account: Account) -> bool:
    """Whether a broker would let an account in with its password and its rights, and nothing else."""
    client = control.clients.get(account.username)
    return (
        client is not None
        and client["password"] == account.password
        and not client.get("disabled")
        and [role["rolename"] for role in client["roles"]] == [account.role]
        and control.held.get(account.role) == account.acls
    )


POOL = ["a" * 16, "b" * 16, "c" * 16, "d" * 16]
STATES = st.dictionaries(
    st.sampled_from(POOL), st.sampled_from(["right", "old", "rights", "off", "role", "client"])
)


@given(st.dictionaries(st.sampled_from(POOL), SECRETS), STATES)
def test_whatever_the_broker_holds_it_becomes_what_is_wanted(
    wanted_secrets: dict[str, str], states: dict[str, str]
) -> None:
    """From any mixture of right, outdated, disabled, half-made and stray accounts; foreign ones stay."""
    wanted = {agent: agent_account(agent, secret) for agent, secret in wanted_secrets.items()}
    control = FakeControl()
    control.clients["grafana"] = {"username": "grafana", "roles": [{"rolename": "reader"}]}
    control.held["reader"] = frozenset()
    for agent, state in states.items():
        account = wanted.get(agent) if state in ("right", "rights", "off") else None
        spoil(control, account or agent_account(agent, "ab" * 32), state)
    before = dict(control.clients)

    commands, done = plan(wanted, control.accounts(), control.roles())
    problems = [problem for problem in control.execute(commands) if problem]
    again, nothing = plan(wanted, control.accounts(), control.roles())

    assert problems == []
    assert all(has(control, account) for account in wanted.values())
    assert set(control.clients) == {*wanted, "grafana"}
    assert set(control.held) == {*(account.role for account in wanted.values()), "reader"}
    assert (again, bool(nothing)) == ([], False)
    assert done.created == len(set(wanted) - set(before))
    assert done.deleted == len(set(before) - set(wanted) - {"grafana"})


def spoil(control: FakeControl, account: Account, state: str) -> None:
    """Put an account into a fake broker, in one of the states that brokers were found in."""
    client, role = (
        {
            "username": account.username,
            "password": account.password,
            "textdescription": account.mark,
            "roles": [{"rolename": account.role}],
            "disabled": state == "off",
        },
        frozenset(list(account.acls)[:3]) if state == "rights" else account.acls,
    )
    if state != "role":
        control.clients[account.username] = client
    if state != "client":
        control.held[account.role] = role


def test_the_accounts_file_of_half_a_write_is_not_used() -> None:
    """A file is started with only when it is JSON and holds our own account."""
    ours = admin_account(ADMIN, "x")
    whole = document([ours, collector_account("c", "y")])

    assert is_usable(whole, ADMIN)
    for content in (b"", whole[:-1], b"[]", b"null", b'{"clients": 1}', document([]), b"\xff\xfe"):
        assert not is_usable(content, ADMIN)


def test_the_accounts_file_holds_no_password(installation: Installation) -> None:
    """Only salted hashes are at rest in the broker's folder."""
    reply = installation.enrol()
    text = (installation.folder / "dynamic-security.json").read_text(encoding="utf-8")
    passwords = json.loads((installation.keys / "broker-logins.json").read_bytes()).values()

    assert reply.agent in text
    assert not any(word in text for word in (reply.secret, *passwords))


def test_a_vault_opens_what_it_sealed_for_that_agent_only(tmp_path: Path) -> None:
    """Another agent's row, a changed byte, another key or a damaged key file give an error, not a secret."""
    vault, other = Vault(tmp_path / "vault.key"), Vault(tmp_path / "other.key")
    sealed = vault.seal("a" * 16, "5e" * 32)

    assert Vault(tmp_path / "vault.key").open("a" * 16, sealed) == "5e" * 32
    assert vault.seal("a" * 16, "5e" * 32) != sealed
    assert bytes.fromhex("5e" * 32) not in sealed
    assert (tmp_path / "vault.key").stat().st_mode & 0o777 == 0o600
    wrong = [("b" * 16, sealed), ("a" * 16, sealed[:-1]), ("a" * 16, b""), ("a" * 16, b"\x02" + sealed[1:])]
    wrong.append(("a" * 16, sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]))
    for agent, content in wrong:
        with pytest.raises(VaultError, match="enrol the machine again"):
            vault.open(agent, content)
    with pytest.raises(VaultError, match=r"other\.key"):
        other.open("a" * 16, sealed)
    (tmp_path / "vault.key").write_text("cut", encoding="ascii")
    with pytest.raises(VaultError, match=r"vault\.key is damaged; restore it from the backup"):
        Vault(tmp_path / "vault.key").seal("a" * 16, "5e" * 32)


def put_machines(
    ledger: Ledger, vault: Vault, agents: list[str], retired: frozenset[str] = frozenset()
) -> None:
    """Machines as enrolments leave them."""
    with ledger.write() as c:
        for agent in agents:
            machines.add(c, machines.Machine(agent, agent, "", "pc", NOW_MS))
            credentials.put(c, agent, vault.seal(agent, "5e" * 32), NOW_MS)
            if agent in retired:
                machines.retire(c, agent, NOW_MS)


def test_a_secret_that_cannot_be_opened_shuts_out_that_machine_only(
    ledger: Ledger, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    """One row of another key is told once; retired machines have no account."""
    put_machines(ledger, vault, ["a" * 16, "b" * 16, "c" * 16], frozenset({"c" * 16}))
    with ledger.write() as c:
        credentials.put(c, "a" * 16, b"\x01 of another key", NOW_MS)

    assert set(wanted_accounts(ledger, vault)) == {"b" * 16}
    assert len(caplog.records) == 1
    assert "1 machines cannot connect" in caplog.text


def test_a_broker_whose_accounts_somebody_else_keeps_is_left_alone(ledger: Ledger, vault: Vault) -> None:
    """Without the plugin nothing is asked and nothing fails."""
    accounts = Accounts(ledger, vault, None)
    accounts.grant("a" * 16, "5e" * 32)
    accounts.revoke("a" * 16)

    assert not accounts.reconcile()


def external(installation: Installation, login: BrokerLogin, timeout_s: float = 5.0) -> ExternalBroker:
    """The running broker, seen as one that somebody else runs."""
    admin = json.loads((installation.keys / "broker-logins.json").read_bytes())[ADMIN]
    return ExternalBroker(
        installation.ledger,
        installation.vault,
        own=login,
        admin=BrokerLogin(login.host, login.port, ADMIN, admin, login.tls, login.ca_file),
        addresses=[BrokerAddress("127.0.0.1", installation.port)],
        timeout_s=timeout_s,
    )


def test_an_external_broker_gets_the_ledgers_accounts(installation: Installation, peers: Peers) -> None:
    """Over TLS, by the plugin's commands: missing ones made, strays deleted, then nothing left to do."""
    installation.broker.accounts.grant("b" * 16, "00" * 32)
    put_machines(installation.ledger, installation.vault, ["a" * 16])
    own = installation.broker.own_login()
    login = replace(own, port=installation.port, tls=True, ca_file=installation.keys / "ca.pem")
    broker = external(installation, login)
    broker.start()
    try:
        until(lambda: broker.rounds > 0, what="accounts compared")
        account = agent_account("a" * 16, "5e" * 32)
        peer = peers.connect(installation.port, account.username, account.password, broker.ca_pem())
        assert peer.refused == ""
        assert not broker.accounts.reconcile()
        assert set(wanted_accounts(installation.ledger, installation.vault)) == {"a" * 16}
        assert broker.health().running
        assert broker.agent_addresses() == (BrokerAddress("127.0.0.1", installation.port),)
    finally:
        broker.stop()
        broker.stop()
    assert not broker.health().running


@pytest.mark.parametrize(
    ("login", "cause"),
    [
        (lambda own: replace(own, password="wrong"), "hatang-collector was refused: Not authorized"),
        (lambda own: replace(own, port=free_port()), "no answer yet"),
    ],
)
def test_an_external_broker_that_is_away_is_waited_for(
    installation: Installation,
    caplog: pytest.LogCaptureFixture,
    login: Callable[[BrokerLogin], BrokerLogin],
    cause: str,
) -> None:
    """A wrong password or port is told in one line with the place; the collector runs on without."""
    broker = external(installation, login(installation.broker.own_login()), timeout_s=0.3)
    broker.start()
    try:
        found = broker.health()
        with pytest.raises(BrokerUnavailable):
            broker.configs.clear("a" * 16)
    finally:
        broker.stop()

    assert not found.running
    assert re.fullmatch(rf"the broker at 127.0.0.1:\d+ cannot be used: {cause}", found.detail)
    assert [record.levelname for record in caplog.records if "external" in record.name] == ["WARNING"]


def test_an_external_broker_that_comes_later_gets_everything(
    installation: Installation, peers: Peers
) -> None:
    """Started before its broker, it brings accounts and configurations once the broker is there."""
    reply = installation.enrol()
    own = installation.broker.own_login()
    broker = external(installation, own)
    broker.start()
    try:
        until(lambda: broker.rounds > 0, what="the first comparison")
        installation.broker.accounts.revoke(reply.agent)
        rounds = broker.rounds
        kill_connections(installation)
        until(lambda: broker.rounds > rounds, what="a comparison after the reconnection")
        assert installation.connect(peers, reply).refused == ""
    finally:
        broker.stop()


def kill_connections(installation: Installation) -> None:
    """Kill the broker; the embedded side starts it again on the same ports."""
    former = installation.broker.pid
    assert former is not None
    os.kill(former, signal.SIGKILL)
    until(lambda: installation.broker.pid not in (None, former), what="a new broker")


def test_a_ca_file_that_cannot_be_used_is_told(installation: Installation, tmp_path: Path) -> None:
    """A wrong setting ends the start, with its name."""
    login = replace(installation.broker.own_login(), tls=True, ca_file=tmp_path / "none.pem")
    broker = external(installation, login)

    with pytest.raises(BrokerError, match=r"none\.pem is not a usable CA file .* set \[broker\] ca_file"):
        broker.start()
    with pytest.raises(BrokerError, match=r"none\.pem cannot be read"):
        broker.ca_pem()
