"""Antivirus on answers that real machines gave, through ``once antivirus --replay DIR --json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hatang_agent.probes import _antivirus_center
from hatang_agent.probes._antivirus_verdict import Found, judge
from support.endpoint_data import Recording, expected, facts, once

BDUITOOL = ("bduitool", "get", "ps")
MDATP = ("mdatp", "health", "--output", "json")
STATES = {
    (True, True): "protected",
    (True, False): "out_of_date",
    (False, True): "off",
    (False, False): "off",
}


def state_of(truth: Mapping[str, Any]) -> str:
    """The state that a recorded truth means."""
    return STATES[truth["enabled"], truth["up_to_date"]]


def summary(run: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the one summary of a run that went well."""
    assert run["status"] == "ok", run
    return facts(run, "antivirus_summary")[""]


def recorded(field_data: Path, folder: Path, name: str, **meta: str) -> Recording:
    """One of the recorded commands on its system."""
    truth = expected(field_data / "endpoint", name)
    platform = truth["files"][0].split("/")[0]
    argv = BDUITOOL if "bitdefender" in name else MDATP
    printed = (field_data / "endpoint" / truth["files"][0]).read_bytes()
    meta = {"now": f"{truth['signatures_date']}T20:00:00Z", **meta}
    return Recording(folder, platform, **meta).command(argv, printed)


COMMANDS = ["linux antivirus bitdefender", "linux antivirus defender", "macos antivirus defender"]


@pytest.mark.parametrize("name", COMMANDS)
def test_recorded_commands(field_data: Path, tmp_path: Path, name: str) -> None:
    """State, product, maker and age of the signatures on the day of the recording."""
    truth = expected(field_data / "endpoint", name)
    run = once("antivirus", recorded(field_data, tmp_path, name))
    (found,) = facts(run, "antivirus").values()
    assert (found["state"], found["product"], found["vendor"], found["signature_age_days"]) == (
        state_of(truth),
        truth["product"],
        truth["vendor"],
        0,
    )
    assert 0 < len(found["evidence"]) <= 500
    assert summary(run)["state"] == state_of(truth)
    assert summary(run)["product"] == truth["product"]


@pytest.mark.parametrize("name", ["linux antivirus bitdefender", "macos antivirus defender"])
@pytest.mark.parametrize(("days", "limit", "state"), [(9, 7, "out_of_date"), (9, 30, "protected")])
def test_age_counts_against_the_clock_of_the_machine(
    field_data: Path, tmp_path: Path, name: str, days: int, limit: int, state: str
) -> None:
    """Some days later the same answer is out of date, unless the limit is wider."""
    date = expected(field_data / "endpoint", name)["signatures_date"]
    later = f"{date[:8]}{int(date[8:]) + days:02d}" if int(date[8:]) < 20 else f"{date[:5]}09-{days - 7:02d}"
    recording = recorded(field_data, tmp_path, name, now=f"{later}T20:00:00Z")
    run = once("antivirus", recording, "--set", f"signature_limit_days={limit}")
    (found,) = facts(run, "antivirus").values()
    assert found["state"] == state
    assert found["signature_age_days"] == days


@pytest.mark.parametrize("name", COMMANDS)
def test_a_clock_before_the_signatures_does_not_make_them_old(
    field_data: Path, tmp_path: Path, name: str
) -> None:
    """With a clock that fell back to 1970 the product's own word on its signatures counts."""
    truth = expected(field_data / "endpoint", name)
    run = once("antivirus", recorded(field_data, tmp_path, name, now="1970-01-01T00:00:00Z"))
    assert summary(run)["state"] == state_of(truth)


def observation(field_data: Path, name: str) -> dict[str, Any]:
    """One of the public observations of SecurityCenter2."""
    path = field_data / "endpoint/windows-securitycenter/observations.json"
    found: dict[str, Any] = {
        one["id"]: one for one in json.loads(path.read_text(encoding="utf-8"))["observations"]
    }[name]
    return found


def center(folder: Path, *products: Mapping[str, Any], status: Mapping[str, Any] | None = None) -> Recording:
    """A Windows with such registrations."""
    machine = Recording(folder, "windows", release="10")
    if products:
        kept = [{key: one[key] for key in one if key != "expected"} for one in products]
        machine.wmi("AntiVirusProduct", kept)
    return machine.wmi("MSFT_MpComputerStatus", [status]) if status else machine


@pytest.mark.parametrize("name", ["bitdefender+defender", "defender-only", "kaspersky-es10"])
def test_observed_clients(field_data: Path, tmp_path: Path, name: str) -> None:
    """Every product as the observer saw it, the active one decides, and the raw number is kept."""
    seen = observation(field_data, name)
    run = once("antivirus", center(tmp_path, *seen["products"]))
    by_product = {one["product"]: one for one in facts(run, "antivirus").values()}
    for one in seen["products"]:
        found = by_product[one["displayName"]]
        assert found["state"] == state_of(one["expected"])
        assert str(one["productState"]) in found["evidence"]
    assert len(by_product) == len(seen["products"])
    active = [one["displayName"] for one in seen["products"] if one["expected"]["enabled"]]
    assert (summary(run)["state"], summary(run)["product"]) == ("protected", active[0])


@pytest.mark.parametrize("name", ["mcafee-vendor-table", "public-examples"])
def test_observed_states(field_data: Path, tmp_path: Path, name: str) -> None:
    """Each number of a maker's table by itself, with a name or without one."""
    for number, one in enumerate(observation(field_data, name)["products"]):
        run = once("antivirus", center(tmp_path / str(number), one))
        (found,) = facts(run, "antivirus").values()
        assert found["state"] == state_of(one["expected"]) == summary(run)["state"]


def test_a_server_answers_by_defenders_class(field_data: Path, tmp_path: Path) -> None:
    """No SecurityCenter2 on a server: Defender's own class says on and current."""
    seen = observation(field_data, "windows-server-2022")
    run = once("antivirus", center(tmp_path, status=seen["MSFT_MpComputerStatus"]))
    assert summary(run)["state"] == state_of(seen["expected_summary"]) == "protected"
    assert summary(run)["product"] == seen["expected_summary"]["active_product"]
    assert facts(run, "antivirus")["microsoft_defender"]["signature_age_days"] == 0


def test_a_server_that_tells_nothing_is_unreadable(field_data: Path, tmp_path: Path) -> None:
    """Neither namespace nor class: unknown, never unprotected, and no error."""
    seen = observation(field_data, "windows-server-2012r2")
    assert seen["MSFT_MpComputerStatus"] is None
    run = once("antivirus", center(tmp_path))
    assert facts(run, "antivirus") == {}
    assert summary(run)["state"] == "unreadable"
    assert "services" in summary(run)["why"]


def center_registrations(machine: Recording) -> list[Found]:
    """Products as the reader of SecurityCenter2 sees them."""
    names = _antivirus_center.CENTER_PROPERTIES
    return _antivirus_center.registrations(machine.system().wmi(*_antivirus_center.CENTER, names))


def test_every_number_seen_in_the_field_has_a_state(field_data: Path, tmp_path: Path) -> None:
    """On and current, on and stale, or off: by the convention's bits, and nothing is left unread."""
    path = field_data / "endpoint/windows-securitycenter/observations.json"
    numbers = json.loads(path.read_text(encoding="utf-8"))["productStates_seen_in_the_field_must_decode"]
    assert len(numbers) > 8
    for number in numbers:
        machine = center(tmp_path / str(number), {"displayName": "Some Guard", "productState": number})
        stale = "out_of_date" if number & 0xF0 == 0x10 else "protected"
        state = stale if number & 0xF000 == 0x1000 else "off"
        (guard,) = center_registrations(machine)
        assert judge(guard, 7).state == state
