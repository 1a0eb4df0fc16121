"""The ledger's database: transactions, migrations, what a person is told."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from hatang_collector.ledger import cursors
from hatang_collector.ledger.engine import Ledger, LedgerError, LedgerUnavailable
from hatang_collector.ledger.estate_tables import NOUNS
from hatang_collector.ledger.tables import METADATA
from ledger.together import together
from support.wait import until


def test_migrations_make_exactly_the_tables_the_program_uses(ledger: Ledger) -> None:
    """Migrating an empty database gives the schema of the tables' two modules, column by column."""
    assert {noun.name for noun in NOUNS} < METADATA.tables.keys()
    with ledger.read() as c:
        assert compare_metadata(MigrationContext.configure(c), METADATA) == []


def test_migrating_twice_changes_nothing(ledger: Ledger) -> None:
    """Every start migrates; what is stored stays."""
    with ledger.write() as c:
        cursors.put(c, "x", "pc", 7)
    ledger.migrate()
    with ledger.read() as c:
        assert cursors.get(c, "x", "pc") == 7


def test_a_newer_database_is_refused_in_one_line(ledger: Ledger) -> None:
    """An older program never touches the tables of a newer one, and says what to do."""
    with ledger.write() as c:
        c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(LedgerError, match=r"newer program.*9999.*install that version again") as caught:
        ledger.migrate()

    assert "\n" not in str(caught.value)


def test_a_failed_migration_leaves_nothing(database: str) -> None:
    """Tables are made in one transaction: a start that is cut off can simply be repeated."""
    ledger = Ledger(database)

    def cut_off() -> None:
        with ledger.write() as c:
            METADATA.create_all(c)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    ledger.migrate()
    with ledger.read() as c:
        assert cursors.get(c, "x", "pc") == 0
    ledger.close()


def test_two_starts_at_once_both_end_well(database: str) -> None:
    """Two collectors that start at the same moment migrate one after the other."""

    def start() -> None:
        ledger = Ledger(database)
        try:
            ledger.migrate()
        finally:
            ledger.close()

    assert together(3, start) == [None, None, None]


def test_a_raised_error_undoes_the_transaction(ledger: Ledger) -> None:
    """Either all of a block is stored or nothing."""

    def fail() -> None:
        with ledger.write() as c:
            cursors.put(c, "x", "pc", 7)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with ledger.read() as c:
        assert cursors.get(c, "x", "pc") == 0


def test_a_read_transaction_cannot_write(ledger: Ledger) -> None:
    """A forgotten write() shows at once, not as a lock-up under load."""
    with pytest.raises((DBAPIError, LedgerUnavailable)), ledger.read() as c:
        cursors.put(c, "x", "pc", 7)


def test_a_reader_sees_one_state(ledger: Ledger) -> None:
    """What is committed while a block reads does not appear in the middle of it."""
    with ledger.write() as c:
        cursors.put(c, "x", "pc", 1)
    with ledger.read() as reader:
        assert cursors.get(reader, "x", "pc") == 1
        with ledger.write() as c:
            cursors.put(c, "x", "pc", 2)
        assert cursors.get(reader, "x", "pc") == 1


def test_writers_wait_for_each_other(ledger: Ledger) -> None:
    """Read-then-write from many threads loses no step and raises no "database is locked"."""
    with ledger.write() as c:
        cursors.put(c, "x", "pc", 0)
    lock = " FOR UPDATE" if ledger.dialect == "postgresql" else ""
    chosen = sa.text(f"SELECT next_index FROM cursors WHERE projection = 'x'{lock}")

    def step() -> None:
        for _ in range(20):
            with ledger.write() as c:
                cursors.put(c, "x", "pc", c.execute(chosen).scalar_one() + 1)

    assert together(4, step) == [None] * 4
    with ledger.read() as c:
        assert cursors.get(c, "x", "pc") == 80


def test_the_sqlite_file_is_the_owners_alone(tmp_path: Path) -> None:
    """The file, its log and its index hold password hashes: nobody else may read them."""
    path = tmp_path / "deep" / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    with ledger.read():
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    ledger.close()

    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}


def test_sqlite_is_set_to_survive_a_power_cut(tmp_path: Path) -> None:
    """WAL, fsync at each commit, foreign keys enforced."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with ledger.read() as c:
        found = {
            name: c.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    ledger.close()

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/x", "sqlite://", "sqlite:///:memory:"])
def test_a_wrong_address_is_one_line(url: str) -> None:
    """What is not a ledger says what would be one."""
    with pytest.raises(LedgerError, match=r"ledger\.url.*give sqlite:"):
        Ledger(url)


def test_an_unreachable_server_is_told_apart_without_its_password() -> None:
    """Trying again helps: LedgerUnavailable; the password of the address never shows."""
    ledger = Ledger("postgresql://hatang:s3cret-word@127.0.0.1:1/none")
    with pytest.raises(LedgerUnavailable, match="is the database running") as caught, ledger.read():
        pass
    ledger.close()

    assert "s3cret-word" not in str(caught.value)


def test_a_folder_in_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    """A path that cannot be a file is told by name."""
    ledger = Ledger(f"sqlite:///{tmp_path}")
    with pytest.raises(LedgerUnavailable, match=str(tmp_path)), ledger.read():
        pass
    ledger.close()


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    """A parent that is no folder is told by name too."""
    (tmp_path / "file").write_bytes(b"")
    ledger = Ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
    with pytest.raises(LedgerUnavailable, match=str(tmp_path)), ledger.read():
        pass
    ledger.close()


def test_another_program_that_leaves_takes_nothing_along(tmp_path: Path) -> None:
    """A command that ends does not delete our log.

    POSIX drops a process's locks when it closes any descriptor of the file, so opening a further
    connection must not touch the file by itself.
    """
    path = tmp_path / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    wal = path.with_name("ledger.db-wal")
    with ledger.read(), ledger.read():
        before = wal.stat().st_ino
        look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.close()"
        argv = [sys.executable, "-c", look, str(path), "SELECT 1 FROM users"]
        subprocess.run(argv, check=True, timeout=30)
        assert wal.stat().st_ino == before
    ledger.close()


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    """A damaged or foreign file is refused and left as it is."""
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database " * 200)
    ledger = Ledger(f"sqlite:///{path}")
    with pytest.raises(LedgerError, match="not a database"), ledger.read():
        pass
    ledger.close()

    assert path.read_bytes() == b"this is no database " * 200


def test_values_never_show_in_error_texts(ledger: Ledger) -> None:
    """A statement that fails names itself, not the values in it: they may be secrets."""
    with pytest.raises(DBAPIError) as caught, ledger.write() as c:
        c.execute(sa.text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "s3cret-word"})

    assert "s3cret-word" not in str(caught.value)


def test_a_second_program_that_writes_is_waited_for(tmp_path: Path) -> None:
    """Another process in a transaction (a backup, a command) delays a write and does not break it."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Event()

    def write() -> None:
        with ledger.write() as c:
            cursors.put(c, "x", "pc", 3)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    other.execute("COMMIT")
    other.close()

    until(done.is_set, what="the write behind the other program")
    writer.join()
    ledger.close()


def test_a_restarted_server_is_connected_to_again(postgres_url: str) -> None:
    """Connections that the server closed meanwhile cost nobody an error."""
    ledger, other = Ledger(postgres_url), Ledger(postgres_url)
    ledger.migrate()
    _end_all_but(other)
    with ledger.write() as c:
        cursors.put(c, "x", "pc", 1)
    with ledger.read() as c:
        assert cursors.get(c, "x", "pc") == 1
    ledger.close()
    other.close()


def test_a_connection_lost_in_the_middle_asks_to_try_again(postgres_url: str) -> None:
    """The transaction is undone as a whole, the error says that trying again helps, and it does."""
    ledger, other = Ledger(postgres_url), Ledger(postgres_url)
    ledger.migrate()

    def write(*, lose: bool) -> None:
        with ledger.write() as c:
            cursors.put(c, "x", "pc", 1)
            if lose:
                _end_all_but(other)
            cursors.put(c, "x", "probe", 1)

    with pytest.raises(LedgerUnavailable, match="is the database running"):
        write(lose=True)
    with ledger.read() as c:
        assert cursors.get(c, "x", "pc") == 0
    write(lose=False)
    with ledger.read() as c:
        assert cursors.get(c, "x", "probe") == 1
    ledger.close()
    other.close()


def _end_all_but(other: Ledger) -> None:
    with other.write() as c:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        c.execute(sa.text(f"{ended} AND datname = current_database()"))
