"""Opens what lies in the data folder. The server and the one-off commands start from here."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hatang_collector import clock
from hatang_collector.broker.vault import Vault
from hatang_collector.config import RetentionSettings, Settings, StoreKind, StoreSettings, load_settings
from hatang_collector.ingest.deadletter import DeadLetters
from hatang_collector.journal.projection import Projection
from hatang_collector.journal.streams import Journal
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.projection import NAME as LEDGER
from hatang_collector.ledger.projection import LedgerProjection
from hatang_collector.metrics import Metrics
from hatang_collector.store.book import RollupBook
from hatang_collector.store.contract import Retention, SeriesStore
from hatang_collector.store.dialects import Dialect, InfluxSettings
from hatang_collector.store.embedded import EmbeddedStore
from hatang_collector.store.projection import SeriesProjection
from hatang_collector.store.rollup import RollupProjection, complete_from

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Data:
    """Everything that is kept, opened. One process at a time holds it: the journal is locked."""

    data_dir: Path
    settings: Settings
    ledger: Ledger
    journal: Journal
    deadletters: DeadLetters
    store: SeriesStore
    book: RollupBook
    series: SeriesProjection
    projections: Sequence[Projection]
    vault: Vault
    metrics: Metrics

    @property
    def store_is_server(self) -> bool:
        """Whether rollups have to be brought to the store; the embedded one reads our book itself."""
        return self.settings.store.kind is not StoreKind.EMBEDDED

    def is_local(self, projection: Projection) -> bool:
        """Whether a projection only writes files of ours, and never waits for a server."""
        if projection is self.series:
            return not self.store_is_server
        return projection.name != LEDGER or not self.settings.ledger.url


def make_data_dir(path: Path) -> Path:
    """The data folder, made when it is missing. Others may pass through (the broker's user) but not look."""
    path.mkdir(parents=True, exist_ok=True, mode=0o711)
    return path.resolve()


def ledger_url(data_dir: Path, settings: Settings) -> str:
    """Where the ledger is: the URL of the settings, else a SQLite file in the data folder."""
    return settings.ledger.url or f"sqlite:///{data_dir / 'ledger.sqlite'}"


def open_ledger(args: argparse.Namespace) -> Ledger:
    """The ledger alone, up to date; works while a collector runs. Raises ConfigError, LedgerError."""
    settings = load_settings(args.data, args.config)
    ledger = Ledger(ledger_url(make_data_dir(args.data), settings))
    ledger.migrate()
    return ledger


@contextmanager
def open_data(args: argparse.Namespace) -> Iterator[Data]:
    """Everything in the data folder, closed again at the end.

    Raises ConfigError, LedgerError, and JournalLocked while a collector runs on the same folder.
    """
    with ExitStack() as closing:
        settings = load_settings(args.data, args.config)
        data_dir = make_data_dir(args.data)
        journal = Journal.open(data_dir / "journal")
        closing.callback(journal.close)
        ledger = Ledger(ledger_url(data_dir, settings))
        closing.callback(ledger.close)
        ledger.migrate()
        deadletters = DeadLetters(
            data_dir / "deadletters.sqlite", max_bytes=settings.retention.dead_letter_mb * MEGABYTE
        )
        closing.callback(deadletters.close)
        retention = _retention(settings.retention)
        book = RollupBook(data_dir / "rollup.sqlite", retention)
        closing.callback(book.close)
        store = open_store(settings.store, data_dir, book, retention)
        closing.callback(store.close)
        metrics = Metrics()
        series = SeriesProjection(store, data_dir / "series-cursor.sqlite", metrics.count_bad)
        closing.callback(series.close)
        server = None if settings.store.kind is StoreKind.EMBEDDED else store
        projections: list[Projection] = [
            LedgerProjection(ledger),
            series,
            RollupProjection(book, server, clock.now_ms, lambda: complete_from(journal, clock.now_ms())),
        ]
        vault = Vault(data_dir / "keys" / "vault.key")
        yield Data(
            data_dir, settings, ledger, journal, deadletters, store, book, series, projections, vault, metrics
        )


def open_store(
    settings: StoreSettings, data_dir: Path, book: RollupBook, retention: Retention
) -> SeriesStore:
    """The series store of the settings; an InfluxDB need not answer yet."""
    if settings.kind is StoreKind.EMBEDDED:
        return EmbeddedStore(data_dir / "series.sqlite", book, retention, clock.now_ms)
    from hatang_collector.store.influx import InfluxStore

    influx = InfluxSettings(
        url=settings.url,
        dialect=Dialect(f"v{settings.version}"),
        database=settings.database,
        org=settings.org,
        token=_secret(settings.token_file),
        user=settings.username,
        password=_secret(settings.password_file),
    )
    return InfluxStore(influx, retention, clock.now_ms)


def _retention(settings: RetentionSettings) -> Retention:
    return Retention(settings.raw_days, settings.five_minute_days, settings.hourly_days)


def _secret(file: str) -> str:
    return Path(file).read_text(encoding="utf-8").strip() if file else ""
