"""A collector's web part on real parts: ledger, live state, store, uvicorn; only the clock is ours."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from hatang_agent.wire import codec
from hatang_agent.wire.messages import Birth, EnrolReply, EnrolRequest, Farewell, Presence
from hatang_agent.wire.report import SCHEMA, Clock, Fact, Report, Run, RunError, Sample, Status
from hatang_collector.domain.estate import Placement
from hatang_collector.enrol_lines import EnrolOffer
from hatang_collector.journal.segments import Entry
from hatang_collector.ledger import machines, placements, users
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.projection import LedgerProjection
from hatang_collector.ledger.users import Role
from hatang_collector.live import LiveState
from hatang_collector.store.book import RollupBook
from hatang_collector.store.contract import Retention
from hatang_collector.store.embedded import EmbeddedStore
from hatang_collector.store.projection import SeriesProjection
from hatang_collector.store.rollup import RollupProjection
from hatang_collector.web.app import create_app
from hatang_collector.web.security import SESSION_COOKIE
from hatang_collector.web.server import build_server
from hatang_collector.web.services import Condition, Health, PartHealth, Services
from support.wait import until

START_MS = 1_795_137_960_000
BOOT = "boot-1"
EPOCH = "00000000000000aa"
PASSWORD = "một mật khẩu dài"
OFFER = EnrolOffer("https://10.0.0.5:8443", "0123456789abcdef" * 2)
RETENTION = Retention(raw_days=30, m5_days=400, h1_days=1100)


def agent_id(number: int) -> str:
    """A valid agent id, another one for each number."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return f"{'m' * 13}{letters[number // 1024 % 32]}{letters[number // 32 % 32]}{letters[number % 32]}"


@dataclass
class TestClock:
    """A clock that moves when told."""

    __test__ = False
    ms: int = START_MS

    def __call__(self) -> int:
        """The time."""
        return self.ms


def usage(cpu: float, memory: float = 61.0, disk: float = 71.2) -> tuple[Sample, ...]:
    """What the usage probe sends of a small machine."""
    return (
        Sample("usage.cpu_percent", cpu, "%"),
        Sample("usage.memory_percent", memory, "%"),
        Sample("usage.disk_percent", disk, "%", {"mount": "C:"}),
        Sample("usage.disk_percent", disk / 2, "%", {"mount": "D:"}),
    )


def traffic(rx: float, tx: float, interface: str = "Ethernet") -> tuple[Sample, ...]:
    """What the interfaces probe sends of one adapter."""
    tags = {"interface": interface}
    return (
        Sample("interfaces.rx_bps", rx, "bit/s", tags),
        Sample("interfaces.tx_bps", tx, "bit/s", tags),
        Sample("interfaces.rx_bytes", 123_456_789, "B", tags),
    )


OS_FACT = Fact("os", "", {"name": "Windows 10 Pro", "version": "10.0.19045", "arch": "64-bit"})
DISK_FACT = Fact("disk", "0", {"model": "KINGSTON SA400", "size": 240_057_409_536, "rotational": False})


@dataclass
class World:
    """Everything behind the web part, fed the way ingest feeds it."""

    folder: Path
    ledger: Ledger
    clock: TestClock = field(default_factory=TestClock)
    live: LiveState = field(default_factory=LiveState)
    health: Health = field(default_factory=lambda: Health((PartHealth("broker", Condition.OK),)))
    enrolled: list[EnrolRequest] = field(default_factory=list)
    enrol_error: Exception | None = None
    offer: EnrolOffer = OFFER
    pokes: int = 0
    indexes: int = 0

    def __post_init__(self) -> None:
        self.book = RollupBook(self.folder / "rollups.db", RETENTION)
        self.store = EmbeddedStore(self.folder / "series.db", self.book, RETENTION, self.clock)
        self.series = SeriesProjection(self.store, self.folder / "cursor.db")
        self.rollups = RollupProjection(self.book, None, self.clock)
        self.projection = LedgerProjection(self.ledger)

    def close(self) -> None:
        """Give back every file."""
        self.series.close()
        self.store.close()
        self.book.close()
        self.ledger.close()

    def add(self, number: int, label: str = "", **values: str) -> str:
        """Enrol a machine and give its id."""
        agent = agent_id(number)
        role = values.get("role", "pc")
        enrolled_ms = START_MS - 1000
        with self.ledger.write() as c:
            machines.add(c, Machine(agent, label, values.get("asset_code", ""), role, enrolled_ms))
            if values.get("group"):
                placements.put(c, Placement(agent, enrolled_ms, staff_group=values["group"]))
        return agent

    def report(
        self,
        agent: str,
        samples: Sequence[Sample],
        *,
        probe: str = "usage",
        at_ms: int | None = None,
        facts: tuple[Fact, ...] = (),
        error: RunError | None = None,
        live_only: bool = False,
    ) -> None:
        """Take in a report with one run, as if it had just been journaled."""
        self.indexes += 1
        at = self.clock() if at_ms is None else at_ms
        clock = Clock(at, at, BOOT)
        status = Status.FAILED if error else Status.OK
        digest = f"{self.indexes:064x}"
        run = Run(
            f"{EPOCH}-{self.indexes}",
            probe,
            clock,
            5,
            status,
            tuple(samples),
            facts,
            error,
            digest if facts else "",
        )
        with self.ledger.read() as c:
            machine = machines.get(c, agent)
        role = machine.role if machine else "pc"
        message = Report(SCHEMA, agent, EPOCH, self.indexes, None, clock, role, "0.1.0", (run,))
        header = {"epoch": EPOCH, "seq": self.indexes, "digest": digest, "clocks": {BOOT: 0}}
        self._apply(Entry(self.indexes, "report", agent, at, header, codec.encode(message)), live_only)

    def _apply(self, entry: Entry, live_only: bool) -> None:
        if not live_only:
            for projection in (self.projection, self.series, self.rollups):
                projection.apply(entry.agent, [entry], entry.index + 1)
        self.live.apply([entry])

    def connect(self, agent: str) -> None:
        """A birth on the path ``main``."""
        clock = Clock(self.clock(), self.clock(), BOOT)
        birth = Birth(SCHEMA, agent, EPOCH, "main", 1, clock, "pc", "0.1.0")
        self._small("birth", agent, {"path": "main", "live": True}, codec.encode(birth))

    def leave(self, agent: str, reason: Farewell) -> None:
        """A goodbye on the path ``main``."""
        presence = Presence(EPOCH, "main", 1, reason)
        self._small("presence", agent, {"path": "main"}, codec.encode(presence))

    def _small(self, kind: str, agent: str, header: Mapping[str, object], payload: bytes) -> None:
        self.indexes += 1
        self.live.apply([Entry(self.indexes, kind, agent, self.clock(), dict(header), payload)])

    def enrol(self, request: EnrolRequest, now_ms: int) -> EnrolReply:
        """Stands for the enroller, which has tests of its own."""
        if self.enrol_error is not None:
            raise self.enrol_error
        self.enrolled.append(request)
        assert now_ms == self.clock()
        return EnrolReply(agent_id(900), "0" * 64, "pc", ())

    def services(self) -> Services:
        """What the web part is handed."""
        return Services(
            ledger=self.ledger,
            live=self.live,
            store=self.store,
            enrol=self.enrol,
            metrics=lambda: b"hatang_reports_total 42\n",
            health=lambda: self.health,
            now_ms=self.clock,
            retire=self.retire,
            enrol_offer=lambda: self.offer,
            poke=self.poke,
        )

    def retire(self, agent: str, now_ms: int) -> None:
        """What the enroller does in the ledger."""
        with self.ledger.write() as c:
            machines.retire(c, agent, now_ms)

    def poke(self) -> None:
        """Counts what the keeper of configurations is told."""
        self.pokes += 1


class Site:
    """The application under a real server on a free port."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = create_app(world.services())
        self._server = build_server(self.app, "127.0.0.1", 0)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._clients: list[httpx.Client] = []

    def start(self) -> None:
        """Return once it answers."""
        self._thread.start()
        until(lambda: self._server.started, what="the web server has started")

    def ask_to_stop(self) -> None:
        """What Ctrl-C does."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Stop as the program does, and fail when that takes too long."""
        for client in self._clients:
            client.close()
        self.ask_to_stop()
        self._thread.join(8)
        self._socket.close()
        assert not self._thread.is_alive(), "the web server does not stop"

    def client(
        self, headers: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None
    ) -> httpx.Client:
        """A browser-like client: its forms say that they come from this site."""
        made = httpx.Client(
            base_url=self.url,
            headers={"origin": self.url, "accept": "text/html,*/*;q=0.8", **(headers or {})},
            cookies=dict(cookies or {}),
            timeout=20,
        )
        self._clients.append(made)
        return made

    def session(self, role: Role) -> httpx.Client:
        """A client logged in as the user of that role."""
        with self.world.ledger.write() as c:
            text = users.open_session(c, str(role), self.world.clock())
        return self.client(cookies={SESSION_COOKIE: text})

    def session_page(self, path: str, role: Role = Role.VIEWER) -> httpx.Response:
        """A page as a logged-in person gets it."""
        return self.session(role).get(path)

    def token(self, role: Role) -> str:
        """An API token of that role."""
        with self.world.ledger.write() as c:
            return users.create_api_token(c, f"{role}/test", role, self.world.clock())

    def api(self, role: Role = Role.VIEWER) -> httpx.Client:
        """A client with an API token."""
        return self.client({"authorization": f"Bearer {self.token(role)}"})


def make_people(path: Path) -> None:
    """A ledger file with one user per role, named like the role, and one who must change the password."""
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    with ledger.write() as c:
        for role in Role:
            users.create(c, str(role), role, PASSWORD, must_change=False, now_ms=START_MS)
        users.create(c, "fresh", Role.ADMIN, PASSWORD, must_change=True, now_ms=START_MS)
    ledger.close()


@contextmanager
def running(world: World) -> Iterator[Site]:
    """A started site."""
    site = Site(world)
    site.start()
    try:
        yield site
    finally:
        site.stop()


def world_in(folder: Path, people: Path) -> World:
    """A world with a copy of the people's ledger."""
    shutil.copy(people, folder / "ledger.db")
    return World(folder, Ledger(f"sqlite:///{folder / 'ledger.db'}"))
