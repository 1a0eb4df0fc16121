"""The tables of the ledger but those of ``estate_tables.py``.

Primary tables are never rebuilt; derived ones are, from the journal.
Times are integers in milliseconds, UTC. Texts that come from outside go through :func:`storable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

METADATA: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)
ROWS_PER_STATEMENT: Final = 500


def _key(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _must(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _may(name: str, kind: Any = sa.BigInteger) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _ms(name: str) -> sa.Column[Any]:
    return _must(name, sa.BigInteger)


def _told(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


# Primary tables ------------------------------------------------------------------------------------

MACHINES = sa.Table(
    "machines",
    METADATA,
    _key("agent"),
    _must("label"),
    _must("asset_code"),
    _must("role"),
    _ms("enrolled_ms"),
    _may("retired_ms"),
)
FINGERPRINTS = sa.Table("fingerprints", METADATA, _key("agent"), _key("name"), _must("value"), _ms("seen_ms"))
CREDENTIALS = sa.Table(
    "credentials", METADATA, _key("agent"), _must("sealed", sa.LargeBinary), _ms("created_ms")
)
TOKENS = sa.Table(
    "tokens",
    METADATA,
    _key("id"),
    _must("hash"),
    _must("role"),
    _must("uses", sa.Integer),
    _must("used", sa.Integer),
    _ms("expires_ms"),
    _ms("created_ms"),
    _may("revoked_ms"),
    _must("note"),
    _told("unit"),
    _told("site"),
    _told("staff_group"),
)
USERS = sa.Table(
    "users",
    METADATA,
    _key("name"),
    _must("role"),
    _must("password"),
    _must("must_change", sa.Boolean),
    _ms("created_ms"),
    _may("used_ms"),
)
SESSIONS = sa.Table(
    "sessions",
    METADATA,
    _key("hash"),
    sa.Column("name", sa.Text, sa.ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
    _ms("opened_ms"),
    _ms("used_ms"),
)
API_TOKENS = sa.Table(
    "api_tokens",
    METADATA,
    _key("id"),
    _must("hash"),
    _must("name"),
    _must("role"),
    _ms("created_ms"),
    _may("used_ms"),
)
LOGIN_FAILURES = sa.Table(
    "login_failures", METADATA, _key("name"), _must("failures", sa.Integer), _ms("next_ms")
)
CONFIG_NUMBERS = sa.Table(
    "config_numbers", METADATA, _key("agent"), _must("number", sa.BigInteger), _must("content")
)
AUDIT = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    _ms("at_ms"),
    _must("who"),
    _must("role"),
    _must("action"),
    _must("subject"),
    _must("detail"),
    sa.Index("ix_audit_subject", "subject"),
)
ESTATE_VERSION = sa.Table("estate_version", METADATA, _key("id", sa.Integer), _must("number", sa.BigInteger))
PLACEMENTS = sa.Table(
    "placements",
    METADATA,
    _key("agent"),
    _key("from_ms", sa.BigInteger),
    _must("unit"),
    _must("site"),
    _must("staff_group"),
    _must("by"),
)
NODE_SETTINGS = sa.Table(
    "node_settings",
    METADATA,
    _key("scope"),
    _key("role"),
    _key("key"),
    _must("value"),
    _ms("changed_ms"),
    _must("changed_by"),
)
FINDINGS = sa.Table(
    "findings",
    METADATA,
    _key("id"),
    _must("kind"),
    _must("agent"),
    _must("key"),
    _must("origin"),
    _ms("opened_ms"),
    _may("closed_ms"),
    _may("closed_by", sa.Text),
    _must("detail"),
    sa.Index("ix_findings_agent_kind_key", "agent", "kind", "key"),
)

# Derived tables: written by the projection, emptied by its reset -----------------------------------

CURSORS = sa.Table(
    "cursors", METADATA, _key("projection"), _key("stream"), _must("next_index", sa.BigInteger)
)
AGENT_STATES = sa.Table(
    "agent_states",
    METADATA,
    _key("agent"),
    _must("role"),
    _must("version"),
    _ms("version_ms"),
    _must("epoch"),
    _ms("epoch_ms"),
    _must("reports", sa.BigInteger),
    _must("runs", sa.BigInteger),
    _must("dropped", sa.BigInteger),
    _may("first_ms"),
    _may("last_ms"),
    _ms("report_ms"),
    _ms("run_ms"),
)
EPOCHS = sa.Table(
    "epochs",
    METADATA,
    _key("agent"),
    _key("epoch"),
    _must("seqs"),
    _may("began_ms"),
    _may("live_ms"),
    _may("sealed_ms"),
    _must("max_seq", sa.BigInteger),
    _may("max_seq_ms"),
    _must("before_epoch"),
    _may("before_seq"),
    _must("conflict", sa.Boolean),
    sa.Index("ix_epochs_epoch", "epoch"),
)
RECEIPTS = sa.Table(
    "receipts",
    METADATA,
    _key("epoch"),
    _key("hour_ms", sa.BigInteger),
    _key("agent"),
    _must("reports", sa.Integer),
    _must("pairs", sa.LargeBinary),
)
RUN_RANGES = sa.Table(
    "run_ranges",
    METADATA,
    _key("epoch"),
    _key("agent"),
    _must("runs"),
    sa.Index("ix_run_ranges_agent", "agent"),
)
GAPS = sa.Table(
    "gaps",
    METADATA,
    _key("agent"),
    _key("probe"),
    _key("from_ms", sa.BigInteger),
    _key("to_ms", sa.BigInteger),
    _key("reason"),
    _key("runs", sa.BigInteger),
    _ms("arrived_ms"),
)
PROBE_STATES = sa.Table(
    "probe_states",
    METADATA,
    _key("agent"),
    _key("probe"),
    _must("status"),
    _ms("at_ms"),
    _must("run_id"),
    _must("certain", sa.Boolean),
    _must("error"),
    _must("hint"),
)
INVENTORIES = sa.Table(
    "inventories",
    METADATA,
    _key("agent"),
    _key("probe"),
    _must("digest"),
    _must("run_id"),
    _must("seen_id"),
    _ms("seen_ms"),
    _must("certain", sa.Boolean),
    _must("missing_digest"),
    _must("missing_id"),
    _ms("missing_ms"),
    _must("missing_certain", sa.Boolean),
)
FACT_SETS = sa.Table(
    "fact_sets",
    METADATA,
    _key("agent"),
    _key("probe"),
    _key("digest"),
    _must("run_id"),
    _ms("seen_ms"),
    _must("content", sa.LargeBinary),
)
FACTS = sa.Table(
    "facts",
    METADATA,
    _key("agent"),
    _key("probe"),
    _key("kind"),
    _key("key"),
    _must("fields"),
    _ms("since_ms"),
    sa.Index("ix_facts_kind", "kind"),
)
FACTS_CLOSED = sa.Table(
    "facts_closed",
    METADATA,
    _key("agent"),
    _key("probe"),
    _key("kind"),
    _key("key"),
    _key("since_ms", sa.BigInteger),
    _ms("closed_ms"),
    _must("fields"),
)
CLOCK_SEGMENTS = sa.Table(
    "clock_segments",
    METADATA,
    _key("agent"),
    _key("boot_id"),
    _key("from_boot_ms", sa.BigInteger),
    _must("offset_ms", sa.BigInteger),
)
SEEN_DAYS = sa.Table(
    "seen_days",
    METADATA,
    _key("agent"),
    _key("probe"),
    _key("month", sa.Integer),
    _must("days", sa.BigInteger),
    sa.Index("ix_seen_days_probe_month", "probe", "month"),
)

DERIVED: Final = (
    AGENT_STATES,
    EPOCHS,
    RECEIPTS,
    RUN_RANGES,
    GAPS,
    PROBE_STATES,
    INVENTORIES,
    FACT_SETS,
    FACTS,
    FACTS_CLOSED,
    CLOCK_SEGMENTS,
)
"""Tables of the ledger projection; with them go its cursors and the findings of origin ``journal``.

``SEEN_DAYS`` is written by it too and outlives a replay: see :mod:`.seen`.
"""


def storable(text: str) -> str:
    """The text without what a database refuses: NUL (PostgreSQL) and lone surrogates (UTF-8)."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def insert(c: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """The dialect's INSERT, which knows ON CONFLICT; both dialects spell it alike."""
    return postgresql.insert(table) if c.dialect.name == "postgresql" else sqlite.insert(table)


def upsert(c: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or overwrite those with the same primary key. Every row names every column."""
    if not rows:
        return
    statement = insert(c, table)
    keys = [column.name for column in table.primary_key]
    changed = {
        column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys
    }
    if changed:
        c.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))
    else:
        c.execute(statement.on_conflict_do_nothing(index_elements=keys), list(rows))


def rows_of(
    c: Connection,
    table: sa.Table,
    keys: Iterable[str],
    column: str = "agent",
    *,
    columns: Sequence[sa.Column[Any]] | None = None,
) -> list[dict[str, Any]]:
    """Every row whose ``column`` is one of the keys, as plain dicts of all or the given columns."""
    wanted = sorted(set(keys))
    shown = list(table.columns) if columns is None else list(columns)
    names = [one.name for one in shown]
    found: list[dict[str, Any]] = []
    for at in range(0, len(wanted), ROWS_PER_STATEMENT):
        chosen = table.c[column].in_(wanted[at : at + ROWS_PER_STATEMENT])
        rows = c.execute(sa.select(*shown).where(chosen)).all()
        found.extend(dict(zip(names, row, strict=True)) for row in rows)
    return found
