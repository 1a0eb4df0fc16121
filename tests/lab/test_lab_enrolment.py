"""The whole way of a new machine, over networks: the printed line, the pin, the broker, the API."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from hatang_agent.identity import load_credential
from hatang_collector.domain.estate import Estate, Placement, Site, SiteUnit, Unit
from hatang_collector.ledger import estate, machines, placements
from support.namespaces import Box, Lab
from support.stack import Stack, now_ms
from support.wait import until

LIVELY = "[schedule]\nsample_s = 5\n[reporting]\nreport_s = 5\n"
UNITS = (Unit("19282", "Xã A"), Unit("19285", "Xã B"))
SITES = (Site("a", "Trụ sở xã A"), Site("b", "Trụ sở xã B"))
PLACES = (
    ("pc", "19282", "a", "cbcc", "Máy văn thư"),
    ("pc", "19285", "b", "chung", "Máy một cửa"),
    ("probe", "19282", "a", "", "Trạm đo A"),
)


def declare(stack: Stack) -> None:
    """Two communes, each with its site."""
    site_units = tuple(SiteUnit(site.code, unit.code) for site, unit in zip(SITES, UNITS, strict=True))

    def change(before: Estate) -> Estate:
        return Estate(units=UNITS, sites=SITES, site_units=site_units, staff_groups=before.staff_groups)

    with stack.ledger() as ledger:
        estate.edit(ledger, change, who="test", role="admin", now_ms=now_ms())


def line_for(stack: Stack, role: str, unit: str, site: str, group: str) -> str:
    """The line that a new token comes with."""
    words = ["--role", role, "--unit", unit, "--site", site, "--staff-group", group]
    told: dict[str, Any] = json.loads(stack.run("tokens", "create", *words, "--json").stdout)
    return str(told["enroll"])


def commands_of(box: Box) -> Path:
    """A folder for PATH in which ``hatang-agent`` is the one of this tree."""
    folder = box.folder / "bin"
    folder.mkdir(exist_ok=True)
    command = folder / "hatang-agent"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hatang_agent "$@"\n', encoding="ascii")
    command.chmod(0o755)
    return folder


def type_in(box: Box, line: str, label: str) -> str:
    """Run the line in the box as a technician does, with the name of the machine; its agent id."""
    typed = f"PATH={commands_of(box)}:$PATH; {line} --label '{label}' --state {box.folder / 'state'}"
    done = box.run("sh", "-c", typed)
    assert done.returncode == 0, done.stderr
    credential = load_credential(box.folder / "state")
    assert credential is not None
    return credential.agent


def resident(box: Box) -> None:
    """Start the agent of a box."""
    config = box.folder / "agent.toml"
    config.write_text(LIVELY, encoding="utf-8")
    words = ("run", "--config", str(config), "--state", str(box.folder / "state"))
    box.start(sys.executable, "-m", "hatang_agent", *words)


def seen(stack: Stack) -> dict[str, dict[str, Any]]:
    """Machines of the API that are up, by id."""
    found = stack.api("/api/v1/machines")["machines"]
    return {one["agent"]: one for one in found if one["state"] == "up"}


def on_sites(stack: Stack, number: int) -> dict[str, tuple[str, str]]:
    """Unit and site of every machine by the API's sites; empty while there are not so many."""
    found: dict[str, tuple[str, str]] = {}
    for site in SITES:
        told = stack.api(f"/api/v1/sites/{site.code}")
        (unit,) = told["site"]["units"]
        found |= {one["agent"]: (unit["code"], site.code) for one in told["machines"]}
    return found if len(found) == number else {}


def reaches(box: Box, host: str, port: int) -> bool:
    """Whether a connection from the box is taken."""
    code = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    return box.run(sys.executable, "-c", code).returncode == 0


def test_three_machines_enrol_over_the_network(stack: Stack, lab: Lab) -> None:
    """Each by its line alone; all are seen with the role, name, unit, site and group they belong to."""
    boxes = [lab.box() for _ in PLACES]
    stack.start()
    declare(stack)
    expected, agents = {}, []
    for box, (role, unit, site, group, label) in zip(boxes, PLACES, strict=True):
        line = line_for(stack, role, unit, site, group)
        assert "--url https://127." not in line
        agent = type_in(box, line, label)
        agents.append(agent)
        expected[agent] = (role, label, unit, site, group)
        resident(box)

    assert len(set(agents)) == len(PLACES), "each box is a machine of its own"
    until(lambda: len(seen(stack)) == len(PLACES), 60, f"three machines are up, see {lab.folder}/*/log.txt")
    placed = until(lambda: on_sites(stack, len(PLACES)), 30, "all are on the board of sites")
    found = {
        agent: (one["role"], one["label"], *placed[agent], one["staff_group"])
        for agent, one in seen(stack).items()
    }
    assert found == expected
    assert all(one["findings"] == 0 for one in seen(stack).values())

    assert reaches(boxes[0], boxes[0].host, stack.broker_port)
    assert not reaches(boxes[0], boxes[0].host, stack.web_port), "the pages stay on this machine"


def test_a_wiped_machine_is_known_by_its_hardware(stack: Stack, lab: Lab) -> None:
    """The same line, used up, gives it back who and where it was; on another box it is refused."""
    box, stranger = lab.box(), lab.box()
    stack.start()
    declare(stack)
    line = line_for(stack, "pc", "19282", "a", "cbcc")
    first = type_in(box, line, "Máy 1")
    shutil.rmtree(box.folder / "state")
    second = type_in(box, line, "")
    refused = stranger.run(
        "sh", "-c", f"PATH={commands_of(stranger)}:$PATH; {line} --state {stranger.folder}/s"
    )

    assert second == first
    assert refused.returncode == 1
    assert "token_used_up" in refused.stderr
    with stack.ledger() as ledger, ledger.read() as c:
        (machine,) = machines.every(c)
        (placement,) = placements.history(c, first)
    assert machine.label == "Máy 1"
    assert placement == Placement(first, placement.from_ms, "19282", "a", "cbcc", "enrolment")
