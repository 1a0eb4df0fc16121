"""A stand-in for InfluxDB 2 and 3: their documented routes in front of a real InfluxDB 1.

It checks what the documentation says the servers check (token, organisation, bucket or database, the
DBRP mapping before an InfluxQL read) and answers in their form; storing and InfluxQL are real.
It is not a proof for a real InfluxDB 2 or 3.
"""

from __future__ import annotations

import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.servers import http

TOKEN = "secret-token"
ORG = "ub"


@dataclass
class State:
    """What the stand-in knows."""

    backend: str
    prefix: str
    buckets: dict[str, str] = field(default_factory=dict)
    mappings: list[dict[str, Any]] = field(default_factory=list)
    rules: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def real(self, name: str) -> str:
        """Database of the backend that holds a bucket."""
        return f"{self.prefix}_{name}"

    def create(self, name: str, duration: str) -> None:
        """Make the backend's database of a bucket."""
        statement = f'CREATE DATABASE "{self.real(name)}" WITH DURATION {duration} NAME "only"'
        status, body = http(f"{self.backend}/query?{urllib.parse.urlencode({'q': statement})}", b"")
        assert status == 200, body
        self.buckets[name] = f"id-{name}"


class Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # head and body in one packet: no wait for a delayed acknowledgement
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle_any(self) -> None:
        """Route one request."""
        parts = urllib.parse.urlsplit(self.path)
        given = dict(urllib.parse.parse_qsl(parts.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.state.requests.append(f"{self.command} {parts.path}")
        scheme = "Bearer" if self.v3 else "Token"
        if parts.path == "/ping":
            self.answer(204, None)
        elif self.headers.get("Authorization") != f"{scheme} {TOKEN}":
            self.answer(401, {"code": "unauthorized", "message": "unauthorized access"})
        elif parts.path == "/api/v2/write":
            self.write(given, body)
        elif parts.path == "/query":
            self.query(given)
        else:
            self.configure(parts.path, given, json.loads(body or b"{}"))

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815

    @property
    def v3(self) -> bool:
        return False

    def write(self, given: dict[str, str], body: bytes) -> None:
        raise NotImplementedError

    def query(self, given: dict[str, str]) -> None:
        raise NotImplementedError

    def configure(self, path: str, given: dict[str, str], body: Any) -> None:
        raise NotImplementedError

    def forward_write(self, name: str, given: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Write to the backend, with the body as it came."""
        query = urllib.parse.urlencode({"db": self.state.real(name), "precision": given["precision"]})
        encoding = self.headers.get("Content-Encoding")
        request = urllib.request.Request(f"{self.state.backend}/write?{query}", data=body)
        if encoding:
            request.add_header("Content-Encoding", encoding)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.read()
        except urllib.request.HTTPError as error:
            with error:
                return error.code, error.read()

    def forward_query(self, name: str, given: dict[str, str]) -> None:
        """Read from the backend."""
        query = urllib.parse.urlencode({**given, "db": self.state.real(name), "rp": "only"})
        status, body = http(f"{self.state.backend}/query?{query}")
        self.answer(status, json.loads(body))

    def answer(self, status: int, values: Any) -> None:
        """Send JSON, or nothing."""
        body = b"" if values is None else json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)


class V2Handler(Handler):
    """InfluxDB OSS 2: buckets of an organisation, InfluxQL through DBRP mappings."""

    def write(self, given: dict[str, str], body: bytes) -> None:
        name = given["bucket"]
        if given.get("org") != ORG:
            self.answer(
                404, {"code": "not found", "message": f'organization name "{given.get("org")}" not found'}
            )
        elif name not in self.state.buckets:
            self.answer(404, {"code": "not found", "message": f'bucket "{name}" not found'})
        else:
            status, reply = self.forward_write(name, given, body)
            text = json.loads(reply)["error"] if status >= 300 else ""
            if status == 400 and "dropped=" in text:
                self.answer(
                    422, {"code": "unprocessable entity", "message": f"failure writing points: {text}"}
                )
            else:
                self.answer(status, {"code": "invalid", "message": text} if text else None)

    def query(self, given: dict[str, str]) -> None:
        found = [
            one
            for one in self.state.mappings
            if one["database"] == given["db"] and one["retention_policy"] == given.get("rp")
        ]
        if not found:
            message = f"no dbrp mapping found: database not found: {given['db']}"
            self.answer(200, {"results": [{"statement_id": 0, "error": message}]})
            return
        names = {identity: name for name, identity in self.state.buckets.items()}
        self.forward_query(names[found[0]["bucketID"]], given)

    def configure(self, path: str, given: dict[str, str], body: Any) -> None:
        route = (self.command, path)
        if route == ("GET", "/api/v2/orgs"):
            self.answer(200, {"orgs": [{"id": "org-1", "name": ORG}] if given["org"] == ORG else []})
        elif route == ("GET", "/api/v2/buckets"):
            name = given["name"]
            if name in self.state.buckets:
                rules = self.state.rules[name]
                known = {"id": self.state.buckets[name], "name": name, "retentionRules": rules}
                self.answer(200, {"buckets": [known]})
            else:
                self.answer(404, {"code": "not found", "message": f'bucket "{name}" not found'})
        elif route == ("POST", "/api/v2/buckets"):
            assert body["orgID"] == "org-1"
            rules = body["retentionRules"]
            self.state.create(body["name"], f"{rules[0]['everySeconds']}s" if rules else "INF")
            self.state.rules[body["name"]] = rules
            self.answer(201, {"id": self.state.buckets[body["name"]], "name": body["name"]})
        elif self.command == "PATCH" and path.startswith("/api/v2/buckets/id-"):
            self.state.rules[path.removeprefix("/api/v2/buckets/id-")] = body["retentionRules"]
            self.answer(200, {})
        elif route == ("GET", "/api/v2/dbrps"):
            assert given["orgID"] == "org-1"
            found = [
                one
                for one in self.state.mappings
                if (one["database"], one["retention_policy"]) == (given["db"], given["rp"])
            ]
            self.answer(200, {"content": found})
        elif route == ("POST", "/api/v2/dbrps"):
            self.state.mappings.append(body)
            self.answer(201, {**body, "id": f"dbrp-{len(self.state.mappings)}"})
        elif route == ("POST", "/api/v2/delete"):
            assert set(body) == {"start", "stop"}
            drop(self.state, given["bucket"])
            self.answer(204, None)
        else:
            self.answer(404, {"code": "not found", "message": "path not found"})


class V3Handler(Handler):
    """InfluxDB 3 Core: databases; a bucket is a database, an organisation is not looked at."""

    @property
    def v3(self) -> bool:
        return True

    def write(self, given: dict[str, str], body: bytes) -> None:
        name = given["bucket"]
        if name not in self.state.buckets:
            self.answer(404, {"error": f"database not found: {name}"})
            return
        status, reply = self.forward_write(name, given, body)
        if status >= 300:
            text = json.loads(reply)["error"]
            self.answer(400, {"error": text, "data": []})
        else:
            self.answer(204, None)

    def query(self, given: dict[str, str]) -> None:
        if given["db"] not in self.state.buckets:
            self.answer(404, {"error": f"database not found: {given['db']}"})
            return
        self.forward_query(given["db"], given)

    def configure(self, path: str, given: dict[str, str], body: Any) -> None:
        route = (self.command, path)
        if route == ("POST", "/api/v3/configure/database"):
            if body["db"] in self.state.buckets:
                self.answer(409, {"error": "database already exists"})
                return
            self.state.create(body["db"], body.get("retention_period", "INF"))
            self.answer(200, None)
        elif route == ("DELETE", "/api/v3/configure/database"):
            drop(self.state, given["db"])
            self.state.buckets.pop(given["db"], None)
            self.answer(200, None)
        else:
            self.answer(404, {"error": "not found"})


def drop(state: State, name: str) -> None:
    """Remove every row of a bucket from the backend."""
    statement = f'DROP DATABASE "{state.real(name)}"'
    http(f"{state.backend}/query?{urllib.parse.urlencode({'q': statement})}", b"")
    if name in state.buckets:
        state.create(name, "INF")


@contextmanager
def standin(version: int, backend: str, prefix: str) -> Iterator[tuple[str, State]]:
    """Address and state of a running stand-in for version 2 or 3."""
    state = State(backend, prefix)
    handler = type("Bound", (V2Handler if version == 2 else V3Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
