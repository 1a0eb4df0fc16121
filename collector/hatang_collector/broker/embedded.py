"""Debian's mosquitto as our child: prepared, started, supervised, its accounts kept equal to the ledger.

Folders: ``folder`` is the broker's own and may be wiped at any time; ``keys`` holds what cannot be
made again without touching every agent (the CA) and belongs into the backup.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hatang_agent.wire.messages import BrokerAddress
from hatang_collector import clock
from hatang_collector.broker import conf, dynsec, process
from hatang_collector.broker.accounts import Accounts, collector_account, wanted_accounts
from hatang_collector.broker.addresses import certificate_names, told_host
from hatang_collector.broker.certificates import Authority, ServerCertificate
from hatang_collector.broker.child import Child, Supervisor
from hatang_collector.broker.configs import ConfigPublisher
from hatang_collector.broker.contract import BrokerError, BrokerHealth, BrokerLogin
from hatang_collector.broker.management import Management
from hatang_collector.broker.private_files import Owner, make_folder, read_or_create, replace
from hatang_collector.broker.vault import Vault
from hatang_collector.ledger.engine import Ledger

log = logging.getLogger(__name__)

ADMIN: Final = "hatang-admin"
COLLECTOR: Final = "hatang-collector"


class EmbeddedBroker:
    """The broker that the collector runs itself.

    ``agents_listener`` is (address, port) for agents, with TLS; ``names`` are what agents know this
    machine by, the first is told to new agents. ``beside`` are further addresses of this machine where
    the collector listens with the same certificate. ``given()`` replaces our own certificate.
    """

    def __init__(
        self,
        folder: Path,
        keys: Path,
        ledger: Ledger,
        vault: Vault,
        *,
        agents_listener: tuple[str, int],
        names: Sequence[str] = (),
        beside: Sequence[str] = (),
        given: Callable[[], ServerCertificate] | None = None,
        now_ms: clock.NowMs = clock.now_ms,
        monotonic_ms: Callable[[], int] = clock.monotonic_ms,
    ) -> None:
        self._folder = folder.resolve()
        self._keys = keys.resolve()
        self._ledger = ledger
        self._vault = vault
        self._listener = agents_listener
        self._names = tuple(names)
        self._beside = tuple(beside)
        self._authority = Authority(self._keys)
        self._given = given or self._own_certificate
        self._now_ms = now_ms
        self._monotonic_ms = monotonic_ms
        self._lock = process.FolderLock(self._folder)
        self._owner: Owner | None = None
        self._program: conf.Program | None = None
        self._own_port = 0
        self._passwords: dict[str, str] = {}
        self._certificate: ServerCertificate | None = None
        self._supervisor: Supervisor | None = None
        self._management: Management | None = None

    @property
    def accounts(self) -> Accounts:
        """Who may connect. Raises BrokerError before :meth:`start`."""
        return self._managed().accounts

    @property
    def configs(self) -> ConfigPublisher:
        """Publishes each agent's signed configuration. Raises BrokerError before :meth:`start`."""
        return self._managed().configs

    @property
    def pid(self) -> int | None:
        """Process id of the broker, None while there is none."""
        return self._supervisor.pid if self._supervisor is not None else None

    @property
    def rounds(self) -> int:
        """How often its accounts and configurations were compared with the ledger since the start."""
        return self._managed().rounds

    def start(self) -> None:
        """Return once it takes connections, with the ledger's accounts. Raises BrokerError, LedgerError."""
        try:
            self._program = conf.find_program()
            self._owner = process.run_as()
            make_folder(self._folder, self._owner)
            self._lock.take()
            if ended := process.end_orphans(self._folder):
                log.warning("ended %d broker left by a collector that was killed", ended)
            process.check_port(*self._listener, privileged=self._owner is None)
            self._own_port = process.free_port()
            self._passwords = self._read_passwords()
            child = Child(
                [str(self._program.mosquitto), "-c", conf.CONFIGURATION],
                self._folder,
                self._own_port,
                self._owner,
            )
            self._supervisor = Supervisor(
                child, prepare=self._prepare, repair=self._repair, monotonic_ms=self._monotonic_ms
            )
            self._supervisor.start()
            self._management = Management(self._ledger, self._vault, self.own_login(), self._login(ADMIN))
            self._management.start()
        except OSError as error:
            self.stop()
            place = f"{error.filename or self._folder}: {error.strerror}"
            if isinstance(error, PermissionError):
                raise BrokerError(
                    f"{place}; start as the user it belongs to, or give it away: chown -R USER {self._folder}"
                ) from error
            raise BrokerError(f"{place}; the broker needs its folder") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop connections, then the child. May be called twice, and without a start."""
        if self._management is not None:
            self._management.stop()
        if self._supervisor is not None:
            self._supervisor.stop()
        self._management = self._supervisor = None
        self._lock.give()

    def own_login(self) -> BrokerLogin:
        """The collector's own account, on loopback without TLS."""
        return self._login(COLLECTOR)

    def agent_addresses(self) -> tuple[BrokerAddress, ...]:
        """What an enrolled agent is told to connect to: the first name given, else where we listen."""
        host, port = self._listener
        return (BrokerAddress(told_host(host, self._names), port),)

    def ca_pem(self) -> str:
        """The CA that agents must trust; empty when a given certificate is of a public one."""
        return self._certificate.ca_pem if self._certificate is not None else ""

    def health(self) -> BrokerHealth:
        """Answers at once."""
        if self._supervisor is None or self._certificate is None:
            return BrokerHealth(running=False, detail="not started")
        return BrokerHealth(
            self._supervisor.running,
            self._supervisor.restarts,
            self._certificate.days_left(self._now_ms()),
            "" if self._supervisor.running else "mosquitto ended and is being started again",
        )

    def _prepare(self, first: bool) -> None:
        """Write what the broker reads. At a restart it keeps the accounts it has, if they are readable."""
        make_folder(self._folder, self._owner)
        self._certificate = self._given()
        self._write(conf.CERTIFICATE, self._certificate.chain_pem)
        self._write(conf.KEY, self._certificate.key_pem)
        program = self._program or conf.find_program()
        self._write(conf.CONFIGURATION, conf.configuration(program, self._listener, self._own_port).encode())
        accounts_file = self._folder / conf.DYNSEC
        kept = accounts_file.read_bytes() if accounts_file.exists() else b""
        if first or not dynsec.is_usable(kept, ADMIN):
            wanted = wanted_accounts(self._ledger, self._vault)
            ours = (
                dynsec.admin_account(ADMIN, self._passwords[ADMIN]),
                collector_account(COLLECTOR, self._passwords[COLLECTOR]),
            )
            self._write(conf.DYNSEC, dynsec.document([*ours, *wanted.values()]))

    def _repair(self, trouble: str) -> bool:
        """Put a damaged message store aside; it never starts with one, and nothing in it is needed.

        Agents keep what we have not acknowledged, and configurations and births are published again.
        """
        store = self._folder / conf.STORE
        if "open database" not in trouble or not store.exists():
            return False
        store.replace(store.with_suffix(".damaged"))
        log.warning("the broker's message store was damaged and is kept as %s.damaged", store.stem)
        return True

    def _own_certificate(self) -> ServerCertificate:
        names = certificate_names((self._listener[0], *self._beside), self._names)
        return self._authority.server_certificate(names, self._now_ms())

    def _write(self, name: str, content: bytes) -> None:
        replace(self._folder / name, content, owner=self._owner)

    def _read_passwords(self) -> dict[str, str]:
        file = self._keys / "broker-logins.json"
        fresh = json.dumps({name: secrets.token_hex(32) for name in (ADMIN, COLLECTOR)}).encode()
        try:
            held = json.loads(read_or_create(file, fresh))
            return {name: str(held[name]) for name in (ADMIN, COLLECTOR)}
        except (ValueError, KeyError, TypeError):
            log.warning("%s was damaged and is made anew", file)
            replace(file, fresh)
            return dict(json.loads(fresh))

    def _login(self, username: str) -> BrokerLogin:
        if username not in self._passwords:
            raise BrokerError("the broker is not started")
        return BrokerLogin("127.0.0.1", self._own_port, username, self._passwords[username])

    def _managed(self) -> Management:
        if self._management is None:
            raise BrokerError("the broker is not started")
        return self._management
