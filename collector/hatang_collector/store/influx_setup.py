"""Databases, retention policies, buckets and mappings on an InfluxDB server, by its documented API.

Works through a ``call``, so it knows no client library. Everything here may be repeated at will.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.store import replies
from hatang_collector.store.contract import DAY_MS, Resolution, Retention
from hatang_collector.store.dialects import POLICY, Dialect, InfluxSettings, bucket, quoted


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body of one HTTP exchange."""

    status: int
    body: str


class NotAllowed(StoreUnavailable):
    """The credential may not create or change this; writing to what is there may still work."""


class Call(Protocol):
    """One HTTP exchange with the server; StoreUnavailable when there was none."""

    def __call__(
        self, method: str, path: str, parameters: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> Reply:
        """Send and return the reply, whatever its status."""
        ...


def prepare(call: Call, settings: InfluxSettings, retention: Retention) -> None:
    """Create what is missing and set how long each resolution is kept."""
    if settings.dialect is Dialect.V1:
        _prepare_v1(call, settings, retention)
    elif settings.dialect is Dialect.V2:
        _prepare_v2(call, settings, retention)
    else:
        _prepare_v3(call, settings, retention)


def clear(call: Call, settings: InfluxSettings, resolution: Resolution) -> None:
    """Remove every row of one resolution; on v1 and v3 ``prepare`` must follow."""
    if settings.dialect is Dialect.V1:
        database = quoted(settings.database)
        _statement(call, f"DROP RETENTION POLICY {quoted(POLICY[resolution])} ON {database}", "not found")
    elif settings.dialect is Dialect.V2:
        parameters = {"org": settings.org, "bucket": bucket(settings, resolution)}
        span = {"start": "1970-01-01T00:00:00Z", "stop": "2262-01-01T00:00:00Z"}
        _expect(call("POST", "/api/v2/delete", parameters, span), "empty the bucket", 404)
    else:
        parameters = {"db": bucket(settings, resolution)}
        _expect(call("DELETE", "/api/v3/configure/database", parameters), "drop the database", 404)


def _prepare_v1(call: Call, settings: InfluxSettings, retention: Retention) -> None:
    database = quoted(settings.database)
    raw = _duration(retention, Resolution.RAW)
    policy = quoted(POLICY[Resolution.RAW])
    _statement(
        call, f"CREATE DATABASE {database} WITH DURATION {raw} REPLICATION 1 NAME {policy}", "conflicts"
    )
    for resolution in Resolution:
        name = f"RETENTION POLICY {quoted(POLICY[resolution])} ON {database}"
        kept = f"DURATION {_duration(retention, resolution)} REPLICATION 1"
        default = " DEFAULT" if resolution is Resolution.RAW else ""
        if not _statement(call, f"CREATE {name} {kept}{default}", "already exists"):
            _statement(call, f"ALTER {name} {kept}{default}")


def _prepare_v2(call: Call, settings: InfluxSettings, retention: Retention) -> None:
    found = _expect(call("GET", "/api/v2/orgs", {"org": settings.org}), "find the organisation")
    organisations = found.get("orgs") or []
    if not organisations:
        raise StoreUnavailable(
            f"series store: no organisation {settings.org!r} on {settings.url}",
            hint="set the organisation of the series store, and a token that may read it",
        )
    org_id = str(organisations[0]["id"])
    for resolution in Resolution:
        _prepare_bucket(call, settings, retention, resolution, org_id)


def _prepare_bucket(
    call: Call, settings: InfluxSettings, retention: Retention, resolution: Resolution, org_id: str
) -> None:
    name = bucket(settings, resolution)
    seconds = retention.span_ms(resolution) // 1000
    rules = [{"type": "expire", "everySeconds": seconds}] if seconds else []
    wanted = {"orgID": org_id, "name": name, "retentionRules": rules}
    reply = call("GET", "/api/v2/buckets", {"org": settings.org, "name": name})
    known = _expect(reply, "find the bucket", 404).get("buckets") or []
    if known and known[0].get("retentionRules", rules) != rules:
        path = f"/api/v2/buckets/{known[0]['id']}"
        _expect(call("PATCH", path, {}, {"retentionRules": rules}), f"change how long {name} keeps")
    if not known:
        known = [_expect(call("POST", "/api/v2/buckets", {}, wanted), f"create the bucket {name}")]
    bucket_id = str(known[0]["id"])
    mapping = {"orgID": org_id, "db": settings.database, "rp": POLICY[resolution]}
    mapped = _expect(call("GET", "/api/v2/dbrps", mapping), "find the DBRP mapping").get("content") or []
    if not any(one.get("bucketID") == bucket_id for one in mapped):
        new = {
            "orgID": org_id,
            "bucketID": bucket_id,
            "database": settings.database,
            "retention_policy": POLICY[resolution],
            "default": resolution is Resolution.RAW,
        }
        _expect(call("POST", "/api/v2/dbrps", {}, new), f"map {settings.database} to the bucket {name}")


def _prepare_v3(call: Call, settings: InfluxSettings, retention: Retention) -> None:
    for resolution in Resolution:
        name = bucket(settings, resolution)
        wanted: dict[str, Any] = {"db": name}
        if days := retention.span_ms(resolution) // DAY_MS:
            wanted["retention_period"] = f"{days}d"
        reply = call("POST", "/api/v3/configure/database", {}, wanted)
        _expect(reply, f"create the database {name}", 409)


def _duration(retention: Retention, resolution: Resolution) -> str:
    days = retention.span_ms(resolution) // DAY_MS
    return f"{days}d" if days else "INF"


def _statement(call: Call, statement: str, expected: str = "") -> bool:
    """Run one InfluxQL statement; False when it failed with the ``expected`` error."""
    reply = call("POST", "/query", {"q": statement})
    error = replies.message(reply.body) if reply.status >= 300 else _statement_error(reply.body)
    if not error:
        return True
    if expected and expected in error:
        return False
    raise _cannot(statement, reply.status, error)


def _statement_error(body: str) -> str:
    try:
        results = json.loads(body).get("results") or []
    except ValueError:
        return f"not InfluxQL's reply: {body[:200]}"
    return "; ".join(str(result["error"]) for result in results if "error" in result)


def _expect(reply: Reply, what: str, tolerated: int = 0) -> dict[str, Any]:
    """The JSON object of a good reply; {} when the status is the tolerated one."""
    if reply.status == tolerated:
        return {}
    if not 200 <= reply.status < 300:
        raise _cannot(what, reply.status, replies.message(reply.body))
    try:
        values = json.loads(reply.body or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise _cannot(what, reply.status, f"not a JSON object: {reply.body[:200]}")
    return values


def _cannot(what: str, status: int, error: str) -> StoreUnavailable:
    kind = NotAllowed if status in (401, 403) else StoreUnavailable
    return kind(f"series store: cannot {what}: {status} {error[:200]}", hint=replies.hint(status))
