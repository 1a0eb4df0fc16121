"""The three generations of InfluxDB: routes, parameters and names; pure.

| | v1 (1.x) | v2 (2.x) | v3 (3.x Core, Enterprise) |
|---|---|---|---|
| write | ``POST /write?db=&rp=`` | ``POST /api/v2/write?org=&bucket=`` | ``POST /api/v2/write?bucket=`` |
| read | ``GET /query`` InfluxQL | the same, through a DBRP mapping | the same |
| a resolution is | a retention policy | a bucket, mapped to database and policy | a database |

v1 and the v2 write route were run on real servers; v2 and v3 otherwise against a stand-in that
follows InfluxData's documentation (InfluxDB API v2 reference; InfluxDB 3 Core API reference).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hatang_collector.store.contract import Resolution

POLICY = {Resolution.RAW: "raw", Resolution.M5: "m5", Resolution.H1: "h1"}
"""Name of each resolution as a retention policy and as the end of a bucket's name."""


class Dialect(StrEnum):
    """Generation of the server."""

    V1 = "v1"
    V2 = "v2"
    V3 = "v3"


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """Where the series server is and how to speak to it.

    ``user`` and ``password`` are for v1, ``org`` for v2, ``token`` for v2 and v3. With
    ``create_missing`` off, databases, policies, buckets and mappings are left to the administrator.
    """

    url: str
    dialect: Dialect = Dialect.V1
    database: str = "hatang"
    org: str = ""
    token: str = ""
    user: str = ""
    password: str = ""
    create_missing: bool = True
    connect_timeout_ms: int = 5_000
    timeout_ms: int = 10_000
    batch_lines: int = 5_000
    gzip: bool = True
    ca_file: str = ""


def bucket(settings: InfluxSettings, resolution: Resolution) -> str:
    """Name of the v2 bucket or v3 database of one resolution."""
    return f"{settings.database}_{POLICY[resolution]}"


def write_route(settings: InfluxSettings, resolution: Resolution) -> tuple[str, dict[str, str]]:
    """Path and parameters of a write."""
    if settings.dialect is Dialect.V1:
        return "/write", {"db": settings.database, "rp": POLICY[resolution], "precision": "ms"}
    parameters = {"bucket": bucket(settings, resolution), "precision": "ms"}
    if settings.dialect is Dialect.V2:
        parameters["org"] = settings.org
    return "/api/v2/write", parameters


def query_parameters(settings: InfluxSettings, resolution: Resolution, query: str) -> dict[str, str]:
    """Parameters of an InfluxQL read; the query names measurements without database or policy."""
    if settings.dialect is Dialect.V3:
        return {"db": bucket(settings, resolution), "q": query, "epoch": "ms"}
    return {"db": settings.database, "rp": POLICY[resolution], "q": query, "epoch": "ms"}


def authorization(settings: InfluxSettings) -> Mapping[str, str]:
    """The header that carries the credential, if there is one."""
    if settings.dialect is Dialect.V3 and settings.token:
        return {"Authorization": f"Bearer {settings.token}"}
    if settings.token:
        return {"Authorization": f"Token {settings.token}"}
    if settings.user:
        pair = f"{settings.user}:{settings.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def quoted(name: str) -> str:
    """An InfluxQL identifier."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """An InfluxQL string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"
