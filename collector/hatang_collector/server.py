"""The running collector: broker, ingest, projections, pages, started and stopped in order.

Started from the inside out (stores, broker, ingest, pages), stopped the other way round; what was
not acknowledged stays with the agents.
"""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from hatang_agent.wire.messages import BrokerAddress, EnrolReply, EnrolRequest
from hatang_collector import clock
from hatang_collector.app import Data
from hatang_collector.broker.certificates import Authority
from hatang_collector.broker.contract import Broker, BrokerLogin
from hatang_collector.broker.embedded import EmbeddedBroker
from hatang_collector.broker.enrol import Enroller, Offer
from hatang_collector.broker.external import ExternalBroker
from hatang_collector.config import BrokerMode
from hatang_collector.configkeeper import ConfigKeeper
from hatang_collector.domain.clocksync import Clocks, Segment
from hatang_collector.enrol_lines import KEYS, offer_of, served_names
from hatang_collector.failures import Failure
from hatang_collector.health import HealthCheck
from hatang_collector.housekeeping import Housekeeping
from hatang_collector.ingest.mqtt import MqttIngest
from hatang_collector.ingest.pipeline import Pipeline
from hatang_collector.journal.projection import ProjectionWorker
from hatang_collector.journal.turn import Turn
from hatang_collector.ledger import clocks as ledger_clocks
from hatang_collector.ledger import users
from hatang_collector.ledger.roles import Role
from hatang_collector.live import LiveState
from hatang_collector.registry import Registry
from hatang_collector.store.rollup import RollupPusher, RollupPushThread
from hatang_collector.web import enrol_server
from hatang_collector.web.app import create_app
from hatang_collector.web.server import WebServer, build_server
from hatang_collector.web.services import Services

log = logging.getLogger(__name__)


class Server:
    """Everything that runs in ``hatang-collector serve``."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._settings = data.settings
        self._stack = ExitStack()
        self._enrolment: socket.socket | None = None
        self.metrics = data.metrics
        self.live = LiveState()

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until SIGINT or SIGTERM. Raises Failure, BrokerError, LedgerError before it is ready."""
        listener = listen(self._settings.web.host, self._settings.web.port, "web")
        with self._stack, listener:
            if self._settings.enrol_listener is not None:
                self._enrolment = self._stack.enter_context(listen(*self._settings.enrol_listener, "enrol"))
            password = first_admin(self._data)
            web = self._start()
            if password:
                announce(
                    f"first login: user admin, password {password}\n"
                    "  (shown this once; you choose your own at the first login)"
                )
            web.run(sockets=[listener])

    def _start(self) -> WebServer:
        data = self._data
        broker = make_broker(data)
        self._stack.callback(broker.stop)
        broker.start()
        registry = Registry(data.ledger)
        clocks = Clocks()
        pipeline = Pipeline(
            data.journal,
            data.deadletters,
            registry.stream,
            clocks=clocks,
            live=self.live,
            metrics=self.metrics,
        )
        with data.ledger.read() as c:
            known = ledger_clocks.every(c)
        for one in known:
            clocks.restore(one.agent, one.boot_id, Segment(one.from_boot_ms, one.offset_ms))
        pipeline.recover(
            clock.now_ms(), {name: data.projections[0].cursor(name) for name in data.journal.streams}
        )
        ingest = MqttIngest(
            pipeline, broker.own_login(), collector=collector_id(data.data_dir), epoch=secrets.token_hex(8)
        )
        turn = Turn()
        workers = [
            ProjectionWorker(
                data.journal,
                projection,
                data.deadletters,
                metrics=self.metrics,
                now_ms=clock.now_ms,
                give_way=ingest.pressure.give_way,
                turn=turn if data.is_local(projection) else None,
            )
            for projection in data.projections
        ]
        for worker in workers:
            worker.start()
            self._stack.callback(worker.stop)
        if pusher := rollup_pusher(data):
            pusher.start()
            self._stack.callback(pusher.stop)
        housekeeping = Housekeeping(data)
        housekeeping.start()
        self._stack.callback(housekeeping.stop)
        ingest.start()
        self._stack.callback(ingest.stop)
        keeper = ConfigKeeper(data.ledger, broker.configs, clock.now_ms)
        keeper.start()
        self._stack.callback(keeper.end)
        enroller = Enroller(
            data.ledger,
            broker.accounts,
            broker.configs,
            data.vault,
            offer=lambda: Offer(broker.agent_addresses(), broker.ca_pem()),
            live=self._is_live,
            first_config=keeper.first_config,
        )
        enrol = remembered(enroller, registry)
        offered = offer_of(self._settings, data.data_dir, clock.now_ms())
        if self._enrolment is not None:
            self._serve_enrolment(self._enrolment, enrol)
            log.info("machines enrol at %s, pin %s", offered.url, offered.pin)
        health = HealthCheck(data, broker, ingest, workers)
        services = Services(
            ledger=data.ledger,
            live=self.live,
            store=data.store,
            enrol=enrol,
            metrics=self.metrics.render,
            health=health,
            now_ms=clock.now_ms,
            retire=enroller.retire,
            enrol_offer=lambda: offered,
            poke=keeper.poke,
            address=self._settings.web.public_url,
        )
        return build_server(create_app(services))

    def _serve_enrolment(
        self, listener: socket.socket, enrol: Callable[[EnrolRequest, int], EnrolReply]
    ) -> None:
        """Start the HTTPS listener for new machines, with the certificate that the broker shows."""
        authority = Authority(self._data.data_dir / KEYS)
        names = served_names(self._settings)
        certificate = authority.server_certificate(names, clock.now_ms())
        app = enrol_server.create_app(certificate.ca_pem, enrol, clock.now_ms)
        server = enrol_server.EnrolServer(app, listener, authority.server_files)
        server.start()
        self._stack.callback(server.stop)
        log.info("the certificate for agents holds %s", ", ".join(names))

    def _is_live(self, agent: str) -> bool:
        machine = self.live.get(agent)
        return machine is not None and any(machine.online.values())


def remembered(enroller: Enroller, registry: Registry) -> Callable[[EnrolRequest, int], EnrolReply]:
    """Enrolment that ingest knows of before the agent has its answer."""

    def enrol(request: EnrolRequest, now_ms: int) -> EnrolReply:
        reply = enroller.enrol(request, now_ms)
        registry.learn(reply.agent, reply.role)
        return reply

    return enrol


def listen(host: str, port: int, section: str) -> socket.socket:
    """A listening socket; Failure names the port and its setting in ``section`` when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Failure(
            f"port {port} on {host} cannot be used: {error.strerror}; "
            f"set [{section}] port in collector.toml or HATANG_{section.upper()}_PORT to a free one"
        ) from error
    listener.listen(128)
    return listener


def make_broker(data: Data) -> Broker:
    """The broker of the settings, not started."""
    settings = data.settings.broker
    if settings.mode is BrokerMode.EMBEDDED:
        return EmbeddedBroker(
            data.data_dir / "broker",
            data.data_dir / KEYS,
            data.ledger,
            data.vault,
            agents_listener=(settings.host, settings.port),
            names=settings.names,
            beside=() if data.settings.enrol_listener is None else (data.settings.enrol_listener[0],),
        )
    own = BrokerLogin(
        settings.host,
        settings.port,
        settings.username,
        Path(settings.password_file).read_text(encoding="utf-8").strip() if settings.password_file else "",
        settings.tls,
        Path(settings.ca_file) if settings.ca_file else None,
    )
    addresses = (BrokerAddress(settings.host, settings.port, tls=settings.tls),)
    return ExternalBroker(data.ledger, data.vault, own=own, admin=own, addresses=addresses)


def rollup_pusher(data: Data) -> RollupPushThread | None:
    """The thread that brings rollups to a server; None where the store reads our book itself."""
    if data.store_is_server:
        return RollupPushThread(RollupPusher(data.book, data.store, data.metrics.count_bad))
    return None


def first_admin(data: Data) -> str:
    """Make the user ``admin`` when there is no user at all; its one-time password, else ''."""
    password = secrets.token_urlsafe(12)
    with data.ledger.write() as c:
        if users.every(c):
            return ""
        users.create(c, "admin", Role.ADMIN, password, must_change=True, now_ms=clock.now_ms())
    return password


def collector_id(data_dir: Path) -> str:
    """Identity of this store, made once: a new one makes agents send full inventories again."""
    path = data_dir / "collector-id"
    if not path.exists():
        path.write_text(secrets.token_hex(8) + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
