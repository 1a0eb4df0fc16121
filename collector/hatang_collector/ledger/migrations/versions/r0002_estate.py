"""Units, sites, links, assets and what belongs to them; placements, settings at nodes, days seen.

The staff group of a machine was a free text. It becomes the machine's first placement, and a group of
its own where it is none of those that every installation starts with.

Revision ID: 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GROUPS = (
    ("cbcc", "Cán bộ, công chức", 1),
    ("vien_chuc", "Viên chức", 2),
    ("ban_chuyen_trach", "Người hoạt động không chuyên trách", 3),
    ("chung", "Dùng chung (một cửa, hội trường)", 4),
)


def upgrade() -> None:
    _estate()
    _around_the_estate()
    _staff_groups()
    for name in ("unit", "site", "staff_group"):
        op.add_column("tokens", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
    op.add_column("users", sa.Column("used_ms", sa.BigInteger(), nullable=True))


def _key(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), autoincrement=False, nullable=False)


def _must(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=False)


def _may(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=True)


def _table(name: str, keys: list[sa.Column[Any]], *columns: sa.Column[Any]) -> sa.Table:
    names = [key.name for key in keys]
    primary = sa.PrimaryKeyConstraint(*names, name=op.f(f"pk_{name}"))
    return op.create_table(name, *keys, *columns, primary)


def _estate() -> None:
    def since() -> sa.Column[Any]:
        return _key("valid_from")

    def until() -> sa.Column[Any]:
        return _may("valid_to")

    _table(
        "units",
        [_key("code"), since()],
        _must("name"),
        _must("kind"),
        _must("parent"),
        _must("position", sa.BigInteger),
        until(),
    )
    _table("successions", [_key("old"), _key("new"), _key("on")], _must("kind"), _must("document"))
    _table("sites", [_key("code"), since()], _must("name"), _must("address"), _must("hours"), until())
    _table("site_units", [_key("site"), _key("unit"), since()], until())
    _table("special_days", [_key("scope"), _key("day")], _must("kind"), _must("name"))
    _table(
        "links",
        [_key("code"), since()],
        *(_must(name) for name in ("site", "kind", "provider")),
        _may("down_mbps", sa.Double),
        _may("up_mbps", sa.Double),
        *(_must(name) for name in ("contract", "purpose")),
        *(_must(name, sa.Boolean) for name in ("essential", "metered", "beats", "reports")),
        until(),
    )
    _table("services", [_key("code"), since()], _must("name"), _must("owner"), until())
    _table(
        "targets",
        [_key("code"), since()],
        *(_must(name) for name in ("network", "method", "address", "service", "unit")),
        until(),
    )
    _table(
        "staff_counts",
        [_key("unit"), _key("staff_group"), since()],
        _must("people", sa.BigInteger),
        _must("document"),
        until(),
    )
    texts = ("kind", "unit", "site", "staff_group", "label", "model", "serial", "room")
    _table(
        "assets",
        [_key("code"), since()],
        *(_must(name) for name in texts),
        _may("year", sa.BigInteger),
        *(_must(name) for name in ("state", "note")),
        until(),
    )


def _around_the_estate() -> None:
    number = _table("estate_version", [_key("id", sa.Integer)], _must("number", sa.BigInteger))
    op.bulk_insert(number, [{"id": 1, "number": 1}])
    _table(
        "node_settings",
        [_key("scope"), _key("role"), _key("key")],
        _must("value"),
        _must("changed_ms", sa.BigInteger),
        _must("changed_by"),
    )
    _table(
        "seen_days",
        [_key("agent"), _key("probe"), _key("month", sa.Integer)],
        _must("days", sa.BigInteger),
    )
    op.create_index("ix_seen_days_probe_month", "seen_days", ["probe", "month"], unique=False)


def _staff_groups() -> None:
    groups = _table("staff_groups", [_key("code")], _must("name"), _must("position", sa.BigInteger))
    op.bulk_insert(groups, [{"code": code, "name": name, "position": at} for code, name, at in GROUPS])
    placements = _table(
        "placements",
        [_key("agent"), _key("from_ms", sa.BigInteger)],
        *(_must(name) for name in ("unit", "site", "staff_group", "by")),
    )
    known = {spelling: code for code, name, _ in GROUPS for spelling in (code, name)}
    kept = "SELECT agent, enrolled_ms, staff_group FROM machines WHERE staff_group <> ''"
    rows = op.get_bind().execute(sa.text(kept)).all()
    new = sorted({group for _, _, group in rows} - known.keys())
    op.bulk_insert(
        groups, [{"code": text, "name": text, "position": len(GROUPS) + at} for at, text in enumerate(new, 1)]
    )
    op.bulk_insert(
        placements,
        [
            {
                "agent": agent,
                "from_ms": enrolled_ms,
                "unit": "",
                "site": "",
                "staff_group": known.get(group, group),
                "by": "",
            }
            for agent, enrolled_ms, group in rows
        ],
    )
    with op.batch_alter_table("machines") as machines:
        machines.drop_column("staff_group")
