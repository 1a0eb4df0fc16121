"""The JSON interface: lists, one machine, series, health, enrolment, events, its own description."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest

from hatang_agent.wire.report import RunError, Sample
from hatang_collector.broker.enrol import EnrolRefusal, EnrolRefused
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.ledger import findings, machines
from hatang_collector.ledger.errors import LedgerUnavailable
from hatang_collector.web.api import estate_models, models
from hatang_collector.web.api.enrol import MAX_BYTES
from hatang_collector.web.services import Condition, Health, PartHealth
from web.webkit import DISK_FACT, OS_FACT, START_MS, Site, World, agent_id, running, usage


def test_list_filters_counts_and_pages(site: Site, world: World) -> None:
    """Filters forgive missing marks; counts are of what passed them; pages do not overlap."""
    for number in range(5):
        world.add(number, f"Máy kế toán {number}")
    probe = world.add(9, "Máy đo", role="probe")
    world.report(agent_id(0), usage(10.0))
    api = site.api()
    everyone = api.get("/api/v1/machines").json()
    assert everyone["total"] == 6
    assert everyone["states"] == {"silent": 0, "no_data": 5, "off": 0, "up": 1}
    assert everyone["machines"][-1]["agent"] == agent_id(0)
    found = api.get("/api/v1/machines", params={"q": "ke toan", "state": "no_data", "per_page": 3}).json()
    assert (found["total"], len(found["machines"])) == (4, 3)
    rest = api.get(
        "/api/v1/machines", params={"q": "ke toan", "state": "no_data", "per_page": 3, "page": 2}
    ).json()
    assert {one["agent"] for one in found["machines"]} & {one["agent"] for one in rest["machines"]} == set()
    assert [one["agent"] for one in api.get("/api/v1/machines?role=probe").json()["machines"]] == [probe]
    assert api.get("/api/v1/machines?state=sideways").status_code == 422


def test_a_figure_that_was_not_measured_is_null(site: Site, world: World) -> None:
    """Null, never zero, in the list and in the detail."""
    agent = world.add(1)
    world.report(agent, (Sample("usage.cpu_percent", 0.0, "%"),))
    found = site.api().get(f"/api/v1/machines/{agent}").json()["machine"]
    assert found["cpu_percent"] == 0.0
    assert [found[name] for name in ("memory_percent", "disk", "network", "os", "uptime_s")] == [None] * 5


def test_one_machine_tells_everything(site: Site, world: World) -> None:
    """Values, runs with error and hint, facts, receipts and findings come from the real ledger."""
    agent = world.add(1, "Máy 1")
    world.connect(agent)
    world.report(agent, usage(12.5))
    world.report(agent, (Sample("system.uptime_s", 90_000, "s"),), probe="system", facts=(OS_FACT,))
    world.report(agent, (), probe="hardware", error=RunError("no SMBIOS", "run the agent as root"))
    with world.ledger.write() as c:
        findings.open_finding(c, "clone", agent, "k", START_MS, "two epochs at once")
        findings.open_finding(c, "clone", agent_id(2), "k", START_MS, "somebody else's")
    found = site.api().get(f"/api/v1/machines/{agent}").json()
    assert found["machine"]["os"] == "Windows 10 Pro 10.0.19045"
    assert found["machine"]["uptime_s"] == 90_000
    assert found["machine"]["findings"] == 1
    assert found["online"] == {"main": True}
    assert {
        "probe": "hardware",
        "status": "failed",
        "at_ms": START_MS,
        "error": "no SMBIOS",
        "hint": "run the agent as root",
    } in found["runs"]
    assert found["facts"][0]["fields"]["version"] == "10.0.19045"
    assert found["receipts"] == {
        "reports": 3,
        "runs": 3,
        "first_ms": START_MS,
        "last_ms": START_MS,
        "gaps": 0,
    }
    assert [one["detail"] for one in found["findings"]] == ["two epochs at once"]
    assert {
        "measurement": "usage",
        "field": "disk_percent",
        "tags": {"mount": "C:"},
        "value": 71.2,
        "unit": "%",
        "at_ms": START_MS,
    } in found["values"]


@pytest.mark.parametrize(("agent", "status"), [(agent_id(77), 404), ("nonsense", 422), ("A" * 16, 422)])
def test_unknown_machines(site: Site, agent: str, status: int) -> None:
    """An unknown id is 404, an impossible one 422, both with a next step."""
    for path in (f"/api/v1/machines/{agent}", f"/api/v1/machines/{agent}/series?measurement=usage&field=x"):
        answer = site.api().get(path)
        assert answer.status_code == status
        assert answer.json()["next_step"]


def test_retired_machines_leave_the_list_but_stay_readable(site: Site, world: World) -> None:
    """History of a retired machine is still there under its id."""
    agent = world.add(1)
    with world.ledger.write() as c:
        machines.retire(c, agent, START_MS)
    api = site.api()
    assert api.get("/api/v1/machines").json()["total"] == 0
    assert api.get(f"/api/v1/machines/{agent}").json()["retired_ms"] == START_MS


def test_series_come_at_each_resolution(site: Site, world: World) -> None:
    """Raw values and both rollups answer; auto chooses by the span."""
    agent = world.add(1)
    for minute in range(10):
        world.report(agent, usage(float(minute)), at_ms=START_MS - (9 - minute) * 60_000)
    api = site.api()

    def ask(**more: Any) -> Any:
        return api.get(
            f"/api/v1/machines/{agent}/series",
            params={"measurement": "usage", "field": "cpu_percent", **more},
        ).json()

    raw = ask()
    assert raw["resolution"] == "raw"
    assert [bucket["sum"] for bucket in raw["tracks"][0]["buckets"]] == [
        float(minute) for minute in range(10)
    ]
    for resolution in ("5m", "1h"):
        track = ask(resolution=resolution)["tracks"][0]
        assert sum(bucket["count"] for bucket in track["buckets"]) == 10
        assert sum(bucket["sum"] for bucket in track["buckets"]) == 45.0
    assert ask(**{"from": START_MS - 86_400_000, "to": START_MS})["resolution"] == "5m"
    assert ask(**{"from": START_MS - 8 * 86_400_000, "to": START_MS})["resolution"] == "1h"
    disks = api.get(f"/api/v1/machines/{agent}/series?measurement=usage&field=disk_percent").json()
    assert [track["tags"] for track in disks["tracks"]] == [{"mount": "C:"}, {"mount": "D:"}]
    assert ask(field="never_measured")["tracks"] == []


@pytest.mark.parametrize(
    "query",
    [
        "measurement=usage",
        "measurement=usage&field=Robert');DROP",
        "measurement=usage&field=cpu_percent&from=10&to=5",
        "measurement=usage&field=cpu_percent&from=-1",
        "measurement=usage&field=cpu_percent&from=yesterday",
        "measurement=usage&field=cpu_percent&resolution=1s",
        "measurement=usage&field=cpu_percent&from=0&to=1795137960000&resolution=raw",
        "measurement=usage&field=cpu_percent&to=99999999999999999999999",
    ],
)
def test_impossible_series_are_explained(site: Site, world: World, query: str) -> None:
    """A question that cannot be answered says which part of it, and what to do."""
    agent = world.add(1)
    answer = site.api().get(f"/api/v1/machines/{agent}/series?{query}")
    assert answer.status_code == 422
    assert all(answer.json()[name] for name in ("place", "cause", "next_step"))


def test_a_store_that_is_away_is_503_with_its_hint(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The series answer with the store's own hint; pages still come, with a note instead of charts."""
    agent = world.add(1, "Máy 1")
    world.report(agent, usage(5.0))

    def away(*_: object) -> None:
        raise StoreUnavailable("http://127.0.0.1:8086 does not answer", "is influxdb running?")

    monkeypatch.setattr(world.store, "query", away)
    with running(world) as site:
        answer = site.api().get(f"/api/v1/machines/{agent}/series?measurement=usage&field=cpu_percent")
        assert answer.status_code == 503
        assert answer.json()["next_step"] == "is influxdb running?"
        page = site.session_page(f"/machines/{agent}")
        assert "kho số liệu không trả lời" in page.text
        assert site.api().get(f"/board/charts?agents={agent}").status_code == 503


def test_a_ledger_that_is_away_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next step is told, and no fault of ours is shown."""
    api = site.api()

    def away(*_: object) -> None:
        raise LedgerUnavailable("disk I/O error")

    monkeypatch.setattr(site.world.ledger, "read", away)
    monkeypatch.setattr(site.world.ledger, "write", away)
    answer = api.get("/api/v1/machines")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert "disk I/O error" in answer.json()["cause"]
    page = site.client(cookies={"hatang_session": "x"}).get("/account")
    assert (page.status_code, "Sổ cái không trả lời" in page.text) == (503, True)


def test_health_tells_details_to_people_only(site: Site, world: World) -> None:
    """Anonymous callers learn the condition; logged-in ones the parts; failed is 503."""
    parts = (
        PartHealth("store", Condition.DEGRADED, "does not answer", "is influxdb running?"),
        PartHealth("broker", Condition.OK),
    )
    world.health = Health(parts)
    assert site.client().get("/api/v1/health").json() == {"condition": "degraded"}
    found = site.api().get("/api/v1/health").json()
    assert found["parts"][0] == {
        "name": "store",
        "condition": "degraded",
        "detail": "does not answer",
        "hint": "is influxdb running?",
    }
    world.health = Health((*parts, PartHealth("journal", Condition.FAILED)))
    assert site.client().get("/api/v1/health").status_code == 503
    assert Health().condition is Condition.OK


def test_a_fault_is_told_without_details(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug gives a problem to the caller and its trace to the log only."""
    api = site.api()
    with caplog.at_level(logging.CRITICAL):

        def broken() -> None:
            raise KeyError("secret place")

        monkeypatch.setattr(world.live, "machines", broken)
        answer = api.get("/api/v1/machines")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "log" in answer.json()["next_step"]


ENROL = {"token": "abc", "version": "0.1.0", "label": "Máy <b>", "fingerprint": {"board_serial": "X1"}}


def test_enrolment_gives_an_identity_without_a_login(site: Site, world: World) -> None:
    """The request reaches the enroller as wire dataclass, and its reply the caller."""
    answer = httpx.post(f"{site.url}/api/v1/enrol", json=ENROL)
    assert answer.status_code == 200
    assert answer.json() == {
        "agent": agent_id(900),
        "secret": "0" * 64,
        "role": "pc",
        "brokers": [],
        "ca_pem": "",
        "recovered": False,
    }
    assert world.enrolled[0].fingerprint == {"board_serial": "X1"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"token": 5, "version": "1"}',
        b'{"version": "1"}',
        b"\xff\xfe",
        b'{"token":"a","version":"1","fingerprint":{"x":1}}',
        b"[" * 10_000,
    ],
)
def test_a_broken_enrolment_is_one_line_with_a_hint(site: Site, body: bytes) -> None:
    """Whatever is sent, the agent has one line to print."""
    answer = httpx.post(f"{site.url}/api/v1/enrol", content=body)
    assert answer.status_code == 400
    assert "\n" not in answer.text
    assert set(answer.json()) == {"error", "hint"}


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (EnrolRefusal.TOKEN_EXPIRED, 403),
        (EnrolRefusal.BAD_LABEL, 400),
        (EnrolRefusal.BROKER_UNAVAILABLE, 503),
    ],
)
def test_a_refused_enrolment_passes_reason_and_hint_on(
    site: Site, world: World, reason: EnrolRefusal, status: int
) -> None:
    """403 for the token, 400 for the values, 503 for the broker."""
    world.enrol_error = EnrolRefused(reason, "do\nthis")
    answer = httpx.post(f"{site.url}/api/v1/enrol", json=ENROL)
    assert answer.status_code == status
    assert answer.json() == {"error": str(reason), "hint": "do this"}


def test_an_oversized_enrolment_is_refused(site: Site) -> None:
    """Whole or in pieces, more than the limit is 413."""
    big = json.dumps({**ENROL, "label": "x" * MAX_BYTES}).encode()
    assert httpx.post(f"{site.url}/api/v1/enrol", content=big).status_code == 413
    pieces = (big[at : at + 1000] for at in range(0, len(big), 1000))
    assert httpx.post(f"{site.url}/api/v1/enrol", content=pieces).status_code == 413


def test_openapi_has_a_summary_and_an_example_everywhere(site: Site) -> None:
    """Each operation says in a line what it does and shows an answer; the page shows all of them."""
    schema = site.client().get("/api/openapi.json").json()
    components = schema["components"]["schemas"]
    page = site.client().get("/api/docs").text
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), path
            assert operation.get("description"), path
            (content,) = operation["responses"]["200"]["content"].values()
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            assert "example" in content or "example" in components[name], (method, path)
            if method == "post":
                assert "example" in operation["requestBody"]["content"]["application/json"], path
            assert path in page
    assert set(schema["paths"]) == {
        "/api/v1/machines",
        "/api/v1/machines/{agent}",
        "/api/v1/machines/{agent}/series",
        "/api/v1/sites",
        "/api/v1/sites/{code}",
        "/api/v1/units",
        "/api/v1/units/{code}/figures",
        "/api/v1/events",
        "/api/v1/health",
        "/api/v1/enrol",
        "/metrics",
    }


def test_examples_are_true_to_their_models() -> None:
    """No example shows what the model would refuse."""
    checked = 0
    for module in (estate_models, models):
        for name in dir(module):
            model = getattr(module, name)
            config = getattr(model, "model_config", {}) if isinstance(model, type) else {}
            extra = config.get("json_schema_extra")
            if extra:
                model.model_validate(extra["example"])
                assert set(extra["example"]) <= set(model.model_fields)
                checked += 1
    assert checked >= 14


def test_facts_of_the_ledger_become_tables(site: Site, world: World) -> None:
    """A disk's facts stand on the machine's page in words."""
    agent = world.add(1)
    world.report(agent, (), probe="hardware", facts=(DISK_FACT,))
    page = site.session_page(f"/machines/{agent}").text
    assert "KINGSTON SA400" in page
    assert "224 GB" in page
