"""Series in InfluxDB 1, 2 or 3, through influxdb-client: the only file that knows the library.

The library's ``write_api`` does not reach InfluxDB before 1.8 and its points are slow, so ready line
protocol goes out through its HTTP layer, and InfluxQL, which every generation reads, comes back.
"""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from hatang_collector.clock import NowMs
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.store import influx_setup, lines, replies
from hatang_collector.store.check import oldest_ms, sift
from hatang_collector.store.contract import (
    BadPoint,
    Bucket,
    Latest,
    Point,
    Resolution,
    Retention,
    RollupRow,
    Tags,
    Track,
)
from hatang_collector.store.dialects import (
    InfluxSettings,
    authorization,
    literal,
    query_parameters,
    quoted,
    write_route,
)
from hatang_collector.store.influx_setup import Reply

log = logging.getLogger(__name__)

AGENTS_IN_A_QUERY = 200
GZIP_ABOVE = 1_000


class InfluxStore:
    """A SeriesStore on an InfluxDB server. Nothing is sent before the first call."""

    def __init__(self, settings: InfluxSettings, retention: Retention, now_ms: NowMs) -> None:
        self._settings = settings
        self._retention = retention
        self._now_ms = now_ms
        self._headers = dict(authorization(settings))
        self._client: Any = InfluxDBClient(
            settings.url,
            token="",
            timeout=(settings.connect_timeout_ms, settings.timeout_ms),
            ssl_ca_cert=settings.ca_file or None,
        )
        self._lock = threading.Lock()
        self._prepared = not settings.create_missing

    def write(self, points: Sequence[Point]) -> list[BadPoint]:
        """See SeriesStore."""
        return self._write(Resolution.RAW, points)

    def write_rollups(self, resolution: Resolution, rows: Sequence[RollupRow]) -> list[BadPoint]:
        """See SeriesStore; the field ``x`` is kept as ``x_count``, ``x_sum``, ``x_min``, ``x_max``."""
        return self._write(resolution, lines.rollup_points(rows))

    def query(
        self, agent: str, measurement: str, field: str, start_ms: int, end_ms: int, resolution: Resolution
    ) -> list[Track]:
        """See SeriesStore."""
        parts = [field]
        if resolution is not Resolution.RAW:
            parts = [f"{field}_{part}" for part in lines.ROLLUP_PARTS]
        found = self._select(
            resolution,
            f"SELECT {', '.join(map(quoted, parts))} FROM {quoted(measurement)}"  # noqa: S608
            f" WHERE {_is_agent(agent)} AND time >= {start_ms:d}ms AND time < {end_ms:d}ms GROUP BY *",
        )
        tracks = [Track(_tags(series), _buckets(series["values"])) for series in found]
        return sorted([track for track in tracks if track.buckets], key=lambda track: track.tags)

    def latest(self, agents: Sequence[str], measurement: str, fields: Sequence[str]) -> list[Latest]:
        """See SeriesStore."""
        found = []
        for first in range(0, len(agents), AGENTS_IN_A_QUERY):
            which = " OR ".join(map(_is_agent, agents[first : first + AGENTS_IN_A_QUERY]))
            for field in fields:
                query = f"SELECT last({quoted(field)}) FROM {quoted(measurement)} WHERE {which} GROUP BY *"  # noqa: S608
                for series in self._select(Resolution.RAW, query):
                    agent = lines.tag_text(series["tags"]["agent"])
                    for bucket in _buckets(series["values"]):
                        found.append(Latest(agent, _tags(series), field, bucket.at_ms, bucket.sum))
        return found

    def totals(self) -> dict[str, tuple[int, float]]:
        """See SeriesStore."""
        found: dict[str, tuple[int, float]] = {}
        for series in self._select(Resolution.RAW, "SELECT count(*), sum(*) FROM /.*/"):
            row = dict(zip(series["columns"], series["values"][0], strict=True))
            for column, value in row.items():
                # a field that another program fills with text has a count and no sum
                if column.startswith("sum_") and value is not None:
                    field = column.removeprefix("sum_")
                    found[f"{series['name']}.{field}"] = (int(row[f"count_{field}"]), float(value))
        return found

    def clear(self, resolution: Resolution) -> None:
        """See SeriesStore."""
        influx_setup.clear(self._call, self._settings, resolution)
        self._prepared = not self._settings.create_missing

    def retain(self, now_ms: int) -> None:
        """The server's own retention does it."""

    def ping(self) -> None:
        """See SeriesStore."""
        reply = self._call("GET", "/ping", {})
        if not 200 <= reply.status < 300:
            raise self._refused(
                f"{reply.status} {replies.message(reply.body)[:200]}", replies.hint(reply.status)
            )

    def prepare(self) -> None:
        """Create databases, policies, buckets and mappings that are missing, once in this object's life.

        A credential that may only write leaves them, and their retention, to the administrator.
        """
        with self._lock:
            if self._prepared:
                return
            try:
                influx_setup.prepare(self._call, self._settings, self._retention)
            except influx_setup.NotAllowed as error:
                log.warning("%s; they are the administrator's then (%s)", error, error.hint)
            self._prepared = True

    def close(self) -> None:
        """See SeriesStore."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _write(self, resolution: Resolution, points: Sequence[Point]) -> list[BadPoint]:
        good, bad = sift(points, oldest_ms(self._retention, resolution, self._now_ms()))
        if good:
            self.prepare()
        for first in range(0, len(good), self._settings.batch_lines):
            bad += self._store(resolution, good[first : first + self._settings.batch_lines])
        return bad

    def _store(self, resolution: Resolution, points: Sequence[Point]) -> list[BadPoint]:
        """Store every good one of these points, return the bad ones; at most 2 writes a value.

        A refusal names one bad line at most, so the lines are sent again in ever smaller parts:
        sending a stored point again overwrites it with itself.
        """
        outcome = self._send(resolution, points)
        if isinstance(outcome, replies.Stored):
            return []
        single = len(points) == 1 and len(points[0].fields) == 1
        if isinstance(outcome, replies.TooLarge):
            if single:
                return [BadPoint(points[0], "refused", "413 too large for the server")]
        elif single or _all_refused(outcome, points):
            return [BadPoint(point, outcome.reason, outcome.detail) for point in points]
        elif named := replies.conflicting(outcome.detail):
            rest, alone = lines.apart(points, *named)
            if rest and alone:
                return self._store(resolution, rest) + self._store(resolution, alone)
        first, second = lines.halves(points)
        return self._store(resolution, first) + self._store(resolution, second)

    def _send(
        self, resolution: Resolution, points: Sequence[Point]
    ) -> replies.Stored | replies.SomeBad | replies.TooLarge:
        body = lines.text(points).encode()
        outcome = replies.write_outcome(*self._post(resolution, body))
        if isinstance(outcome, replies.Missing) and self._settings.create_missing:
            self._prepared = False
            self.prepare()
            outcome = replies.write_outcome(*self._post(resolution, body))
        if isinstance(outcome, replies.Missing):
            hint = f"create the database {self._settings.database!r} and its policies on the server"
            raise self._refused(outcome.detail, hint)
        if isinstance(outcome, replies.Unavailable):
            raise self._refused(outcome.detail, outcome.hint)
        return outcome

    def _post(self, resolution: Resolution, body: bytes) -> tuple[int, str]:
        path, parameters = write_route(self._settings, resolution)
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._settings.gzip and len(body) > GZIP_ABOVE:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        reply = self._exchange("POST", path, parameters, headers, body)
        return reply.status, reply.body

    def _select(self, resolution: Resolution, query: str) -> list[dict[str, Any]]:
        """The series of one InfluxQL SELECT; none when there is no such database yet."""
        reply = self._call("GET", "/query", query_parameters(self._settings, resolution, query))
        if 200 <= reply.status < 300:
            result = json.loads(reply.body)["results"][0]
            if "error" not in result:
                series: list[dict[str, Any]] = result.get("series", [])
                return series
            error = str(result["error"])
        else:
            error = replies.message(reply.body)
        if isinstance(replies.write_outcome(404, error), replies.Missing):
            return []
        raise self._refused(f"{reply.status} {error[:200]}", replies.hint(reply.status))

    def _call(
        self, method: str, path: str, parameters: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> Reply:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return self._exchange(method, path, parameters, headers, body)

    def _exchange(
        self, method: str, path: str, parameters: Mapping[str, str], headers: dict[str, str], body: Any
    ) -> Reply:
        if self._client is None:
            raise self._refused("closed", "the collector is stopping")
        try:
            raw = self._client.api_client.call_api(
                path,
                method,
                query_params=list(parameters.items()),
                header_params={**headers, **self._headers},
                body=body,
                _preload_content=False,
                _return_http_data_only=True,
            )
            return Reply(raw.status, raw.data.decode(errors="replace"))
        except ApiException as error:
            if not error.status:
                raise self._refused(str(error.reason), "check the certificate of the series store") from error
            return Reply(int(error.status), (error.body or b"").decode(errors="replace"))
        except (HTTPError, OSError) as error:
            raise self._refused(
                f"{type(error).__name__}: {error}"[:300], "is the server running, and is its address right?"
            ) from error

    def _refused(self, detail: str, hint: str) -> StoreUnavailable:
        return StoreUnavailable(f"series store {self._settings.url}: {detail}", hint=hint)


def _all_refused(outcome: replies.SomeBad, points: Sequence[Point]) -> bool:
    """Whether the server's count says so; a point of several fields may be refused for one of them."""
    whole = outcome.reason == "beyond_retention" or all(len(point.fields) == 1 for point in points)
    return whole and outcome.dropped >= len(points)


def _is_agent(agent: str) -> str:
    return f'"agent" = {literal(lines.stored_tag(agent))}'


def _tags(series: Mapping[str, Any]) -> Tags:
    """Tags of a series without agent; those that other series of the measurement have come empty."""
    tags = series.get("tags") or {}
    return tuple(sorted((key, lines.tag_text(text)) for key, text in tags.items() if text and key != "agent"))


def _buckets(rows: Sequence[Sequence[Any]]) -> list[Bucket]:
    """Rows of (time, value) or (time, count, sum, min, max); text of another program is left out."""
    found = []
    for at_ms, *values in rows:
        if not all(isinstance(value, (int, float)) for value in values):
            continue
        count, total, low, high = values if len(values) == 4 else (1, *values * 3)
        found.append(Bucket(int(at_ms), int(count), float(total), float(low), float(high)))
    return found
