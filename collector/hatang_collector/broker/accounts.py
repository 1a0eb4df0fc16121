"""Who may do what at the broker, as data, and how the broker is brought to it.

Rules are those of Mosquitto's dynamic-security plugin. Defaults are: sending denied, subscribing
denied; receiving follows from subscribing. Each agent has a role of its own, because 2.0 refuses
``%u`` patterns, and none of them ends in ``#``: a clone must not be able to forge acknowledgements.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from hatang_agent.wire import topics
from hatang_agent.wire.secrets import broker_password
from hatang_collector.broker.contract import BrokerUnavailable
from hatang_collector.broker.vault import Vault, VaultError
from hatang_collector.ledger import credentials, machines
from hatang_collector.ledger.engine import Ledger

log = logging.getLogger(__name__)

Command = dict[str, Any]

COLLECTOR_ROLE: Final = "hatang-collector"
_EXAMPLE: Final = "a" * 16


class AclType(StrEnum):
    """Kinds of permission of the plugin that this program uses."""

    SEND = "publishClientSend"
    RECEIVE = "publishClientReceive"
    SUBSCRIBE = "subscribeLiteral"
    SUBSCRIBE_WITHIN = "subscribePattern"


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One permission: exactly this topic, with ``+`` for one level where the program uses it."""

    type: AclType
    topic: str

    def plain(self) -> dict[str, Any]:
        """As the plugin reads it."""
        return {"acltype": str(self.type), "topic": self.topic, "priority": 0, "allow": True}


@dataclass(frozen=True, slots=True)
class Account:
    """A broker account with one role of the same content. ``mark`` tells an outdated password."""

    username: str
    password: str
    role: str
    acls: frozenset[Acl]

    @property
    def mark(self) -> str:
        """Names the password without telling it: it comes from 256 random bits and cannot be guessed."""
        return "hatang " + hashlib.sha256(self.password.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """What the broker says of an account; never its password."""

    username: str
    mark: str
    roles: tuple[str, ...]
    disabled: bool


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What it took to bring the broker's accounts to the ledger."""

    created: int = 0
    repaired: int = 0
    deleted: int = 0

    def __bool__(self) -> bool:
        return bool(self.created or self.repaired or self.deleted)


def role_of(agent: str) -> str:
    """Name of an agent's role."""
    return f"agent-{agent}"


def agent_account(agent: str, secret: str) -> Account:
    """An agent sends on its own four kinds of topic and reads its ack, its config and the hello."""
    sends = (topics.report(agent), *(of(agent, "+") for of in (topics.beat, topics.birth, topics.presence)))
    reads = (topics.ack(agent), topics.config(agent), topics.COLLECTOR)
    acls = [Acl(AclType.SEND, topic) for topic in sends] + [Acl(AclType.SUBSCRIBE, topic) for topic in reads]
    return Account(agent, broker_password(secret), role_of(agent), frozenset(acls))


def collector_account(username: str, password: str) -> Account:
    """The collector reads what agents send; writes acks, configurations, its hello and its canary."""
    own = (topics.COLLECTOR, topics.CANARY)
    sends = (_of_any_agent(topics.ack(_EXAMPLE)), _of_any_agent(topics.config(_EXAMPLE)), *own)
    acls = [Acl(AclType.SEND, topic) for topic in sends]
    acls += [Acl(AclType.SUBSCRIBE_WITHIN, topic) for topic in (*topics.subscriptions(), *own)]
    return Account(username, password, COLLECTOR_ROLE, frozenset(acls))


def _of_any_agent(topic: str) -> str:
    root, version, _, _, *rest = topic.split("/")
    return "/".join([root, version, "+", "+", *rest])


def grant_commands(account: Account) -> list[Command]:
    """Create role and account. Those that exist already answer with an error and stay as they are."""
    return [
        {
            "command": "createRole",
            "rolename": account.role,
            "acls": [acl.plain() for acl in sorted(account.acls)],
        },
        {
            "command": "createClient",
            "username": account.username,
            "password": account.password,
            "textdescription": account.mark,
            "roles": [{"rolename": account.role, "priority": -1}],
        },
    ]


def revoke_commands(username: str, role: str) -> list[Command]:
    """Delete account and role; whoever is connected with it is thrown out."""
    return [
        {"command": "deleteClient", "username": username},
        {"command": "deleteRole", "rolename": role},
    ]


def plan(
    wanted: Mapping[str, Account], found: Mapping[str, FoundAccount], roles: Mapping[str, frozenset[Acl]]
) -> tuple[list[Command], Reconciled]:
    """Commands that bring what the broker has to what is wanted. Accounts that are not ours stay.

    Ours are those named like an agent that have our mark or our role, and roles named like ours.
    """
    commands: list[Command] = []
    created = repaired = deleted = 0
    kept_roles = set()
    for username, account in sorted(wanted.items()):
        kept_roles.add(account.role)
        there = found.get(username)
        right = FoundAccount(username, account.mark, (account.role,), disabled=False)
        if there == right and roles.get(account.role) == account.acls:
            continue
        if there is not None:
            commands.append({"command": "deleteClient", "username": username})
        if account.role in roles:
            commands.append({"command": "deleteRole", "rolename": account.role})
        commands += grant_commands(account)
        created, repaired = created + (there is None), repaired + (there is not None)
    for username, there in sorted(found.items()):
        if username not in wanted and _is_ours(there):
            commands.append({"command": "deleteClient", "username": username})
            deleted += 1
    commands += [
        {"command": "deleteRole", "rolename": role}
        for role in sorted(roles)
        if role not in kept_roles
        and topics.AGENT_PATTERN.fullmatch(role.removeprefix(role_of("")))
        and role.startswith(role_of(""))
    ]
    return commands, Reconciled(created, repaired, deleted)


def _is_ours(account: FoundAccount) -> bool:
    if not topics.AGENT_PATTERN.fullmatch(account.username):
        return False
    return account.mark.startswith("hatang ") or role_of(account.username) in account.roles


def wanted_accounts(ledger: Ledger, vault: Vault) -> dict[str, Account]:
    """Account of every machine that is not retired and has a credential.

    A secret that the vault cannot open is told once and left out: the others must work.
    """
    with ledger.read() as c:
        current = {machine.agent for machine in machines.every(c) if machine.retired_ms is None}
        sealed = [(agent, content) for agent, content in credentials.every(c) if agent in current]
    accounts, unopened = {}, []
    for agent, content in sealed:
        try:
            accounts[agent] = agent_account(agent, vault.open(agent, content))
        except VaultError as error:
            unopened.append(error)
    if unopened:
        log.error("%d machines cannot connect; the first: %s", len(unopened), unopened[0])
    return accounts


class Control(Protocol):
    """The dynamic-security plugin of a running broker (:mod:`.control`)."""

    def execute(self, commands: Sequence[Command]) -> list[str]:
        """Error text of each command, empty when it was done. Raises BrokerUnavailable."""
        ...

    def accounts(self) -> dict[str, FoundAccount]:
        """Every account. Raises BrokerUnavailable."""
        ...

    def roles(self) -> dict[str, frozenset[Acl]]:
        """Every role. Raises BrokerUnavailable."""
        ...


class Accounts:
    """The agents' accounts at a broker.

    ``control`` None is a broker whose accounts somebody else keeps: nothing is changed there. Hold
    :attr:`changing` from :meth:`grant` to the commit in the ledger, so that a reconciliation between
    them does not take the new account for a stray one. Never call from inside a ledger transaction.
    """

    def __init__(self, ledger: Ledger, vault: Vault, control: Control | None) -> None:
        self.changing = threading.RLock()
        self._ledger = ledger
        self._vault = vault
        self._control = control

    def grant(self, agent: str, secret: str) -> None:
        """The agent can connect with this secret, and no longer with a former one, on return.

        Raises BrokerUnavailable.
        """
        if self._control is None:
            return
        account = agent_account(agent, secret)
        with self.changing:
            problems = self._control.execute(grant_commands(account))
            if any(problems):
                self._control.execute(revoke_commands(agent, account.role))
                problems = self._control.execute(grant_commands(account))
        if any(problems):
            raise BrokerUnavailable(f"the broker refused the account of {agent}: {problems}")

    def revoke(self, agent: str) -> None:
        """The agent is thrown out and cannot connect any more. Raises BrokerUnavailable."""
        if self._control is None:
            return
        with self.changing:
            self._control.execute(revoke_commands(agent, role_of(agent)))

    def reconcile(self) -> Reconciled:
        """Bring the broker to the ledger. Raises BrokerUnavailable, or LedgerError."""
        if self._control is None:
            return Reconciled()
        with self.changing:
            wanted = wanted_accounts(self._ledger, self._vault)
            commands, done = plan(wanted, self._control.accounts(), self._control.roles())
            problems = [text for text in self._control.execute(commands) if text]
        if problems:
            log.warning("the broker refused %d account changes; the first: %s", len(problems), problems[0])
        if done:
            log.info(
                "broker accounts: %d created, %d repaired, %d deleted",
                done.created,
                done.repaired,
                done.deleted,
            )
        return done
