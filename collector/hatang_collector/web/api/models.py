"""What the API sends, as models with examples. Times are UTC in milliseconds."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from hatang_collector.web.freshness import State
from hatang_collector.web.services import Condition
from hatang_collector.web.summary import Summary

EXAMPLE_AGENT: Final = "k3v7q2m5x4a6b2c3"
_SUMMARY: Final[dict[str, Any]] = {
    "agent": EXAMPLE_AGENT,
    "name": "Máy kế toán 1",
    "label": "Máy kế toán 1",
    "asset_code": "TS-0142",
    "staff_group": "Văn phòng",
    "role": "pc",
    "state": "up",
    "farewell": None,
    "last_report_ms": 1795137960000,
    "cpu_percent": 12.5,
    "memory_percent": 61.0,
    "disk": {"mount": "C:", "percent": 71.2},
    "network": {"interface": "Ethernet", "rx_bps": 1250000.0, "tx_bps": 84000.0},
    "os": "Windows 10 Pro 10.0.19045",
    "uptime_s": 86400.0,
    "findings": 0,
    "enrolled_ms": 1795000000000,
    "version": "0.1.0",
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class DiskUse(_Model):
    """The fullest file system: the share in use, 0 to 100."""

    mount: str
    percent: float


class NetworkUse(_Model):
    """The interface that carries most, bits per second; null where a run could not tell."""

    interface: str
    rx_bps: float | None
    tx_bps: float | None


class MachineSummary(_Model):
    """One machine in a few figures. A figure that was not measured is null, never zero."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _SUMMARY})

    agent: str
    name: str = Field(description="label, else asset code, else the start of the agent id")
    label: str
    asset_code: str
    staff_group: str
    role: str = Field(description="pc or probe")
    state: State
    farewell: str | None = Field(description="why the machine said goodbye, if it did")
    last_report_ms: int | None
    cpu_percent: float | None
    memory_percent: float | None
    disk: DiskUse | None
    network: NetworkUse | None
    os: str | None
    uptime_s: float | None
    findings: int = Field(description="how many findings about it are open")
    enrolled_ms: int
    version: str = Field(description="version of the agent program, empty when unknown")

    @staticmethod
    def of(summary: Summary) -> MachineSummary:
        """The same figures as a model."""
        return MachineSummary.model_validate(summary, from_attributes=True)


class MachineList(_Model):
    """One page of a filtered list, and the counts of all that passed the filter by state."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "total": 1,
                "page": 1,
                "per_page": 100,
                "states": {"silent": 0, "no_data": 0, "off": 0, "up": 1},
                "machines": [_SUMMARY],
            }
        },
    )

    total: int
    page: int
    per_page: int
    states: dict[State, int]
    machines: list[MachineSummary]


class LiveValue(_Model):
    """The newest value of one series."""

    measurement: str
    field: str
    tags: dict[str, str]
    value: float
    unit: str
    at_ms: int


class ProbeRun(_Model):
    """How the newest run of one probe ended."""

    probe: str
    status: str
    at_ms: int
    error: str | None
    hint: str | None


class FactModel(_Model):
    """A described thing: unchanged since ``since_ms``, last confirmed at ``seen_ms``."""

    kind: str
    key: str
    fields: dict[str, Any]
    seen_ms: int
    since_ms: int
    certain: bool = Field(description="false: the time was taken from the machine's own clock")


class ReceiptsModel(_Model):
    """Reports and runs counted once each, and runs that the machine had to drop."""

    reports: int
    runs: int
    first_ms: int | None
    last_ms: int | None
    gaps: int


class FindingModel(_Model):
    """Something about the machine that a person should look at."""

    id: str
    kind: str
    key: str
    opened_ms: int
    detail: str


class MachineDetailModel(_Model):
    """One machine with its live values, runs, facts, receipts and findings."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "machine": _SUMMARY,
                "retired_ms": None,
                "online": {"main": True},
                "values": [
                    {
                        "measurement": "usage",
                        "field": "cpu_percent",
                        "tags": {},
                        "value": 12.5,
                        "unit": "%",
                        "at_ms": 1795137955000,
                    }
                ],
                "runs": [
                    {"probe": "usage", "status": "ok", "at_ms": 1795137955000, "error": None, "hint": None}
                ],
                "facts": [
                    {
                        "kind": "os",
                        "key": "",
                        "fields": {"name": "Windows 10 Pro", "version": "10.0.19045"},
                        "seen_ms": 1795137955000,
                        "since_ms": 1795000000000,
                        "certain": True,
                    }
                ],
                "receipts": {
                    "reports": 288,
                    "runs": 1440,
                    "first_ms": 1795000000000,
                    "last_ms": 1795137960000,
                    "gaps": 0,
                },
                "findings": [],
            }
        },
    )

    machine: MachineSummary
    retired_ms: int | None
    online: dict[str, bool]
    values: list[LiveValue]
    runs: list[ProbeRun]
    facts: list[FactModel]
    receipts: ReceiptsModel
    findings: list[FindingModel]


class BucketModel(_Model):
    """The values from ``at_ms`` on, one bucket wide; raw values have count 1."""

    at_ms: int
    count: int
    sum: float
    min: float
    max: float


class TrackModel(_Model):
    """The buckets of one tag set, oldest first. A missing bucket is missing data."""

    tags: dict[str, str]
    buckets: list[BucketModel]


class SeriesModel(_Model):
    """One series over a span, one track per tag set."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "agent": EXAMPLE_AGENT,
                "measurement": "usage",
                "field": "cpu_percent",
                "resolution": "5m",
                "from_ms": 1795050000000,
                "to_ms": 1795136400000,
                "tracks": [
                    {
                        "tags": {},
                        "buckets": [
                            {"at_ms": 1795050000000, "count": 5, "sum": 60.0, "min": 10.0, "max": 15.0}
                        ],
                    }
                ],
            }
        },
    )

    agent: str
    measurement: str
    field: str
    resolution: str
    from_ms: int
    to_ms: int
    tracks: list[TrackModel]


class PartModel(_Model):
    """One part of the collector."""

    name: str
    condition: Condition
    detail: str
    hint: str


class HealthModel(_Model):
    """How the collector is; ``parts`` only for people who are logged in."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "condition": "degraded",
                "parts": [
                    {
                        "name": "series store",
                        "condition": "degraded",
                        "detail": "http://127.0.0.1:8086 does not answer",
                        "hint": "is influxdb running?",
                    }
                ],
            }
        },
    )

    condition: Condition
    parts: list[PartModel] | None = None


class BrokerModel(_Model):
    """One way to a broker, and what may travel on it."""

    host: str
    port: int
    path: str
    tls: bool
    reports: bool
    beats: bool


class EnrolRequestModel(_Model):
    """Asks for an identity with an enrolment token."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "token": "the token that an administrator made",
                "version": "0.1.0",
                "label": "Máy kế toán 1",
                "asset_code": "TS-0142",
                "fingerprint": {"board_serial": "PF2K91XX"},
                "staff_group": "cbcc",
            }
        },
    )

    token: str
    version: str
    label: str = ""
    asset_code: str = ""
    fingerprint: dict[str, str] = {}
    staff_group: str = Field("", description="code of the group it serves; empty: as the token says")


class EnrolReplyModel(_Model):
    """An identity. The secret is shown this once."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "agent": EXAMPLE_AGENT,
                "secret": "64 hexadecimal digits",
                "role": "pc",
                "brokers": [
                    {
                        "host": "10.0.0.5",
                        "port": 8883,
                        "path": "main",
                        "tls": True,
                        "reports": True,
                        "beats": True,
                    }
                ],
                "ca_pem": "",
                "recovered": False,
            }
        },
    )

    agent: str
    secret: str
    role: str
    brokers: list[BrokerModel]
    ca_pem: str
    recovered: bool


class EnrolProblem(_Model):
    """Why there is no identity, and what to do."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {"error": "the token has expired", "hint": "ask the administrator for a new one"}
        },
    )

    error: str
    hint: str
