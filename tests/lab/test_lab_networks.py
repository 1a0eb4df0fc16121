"""Thirteen machines, two networks: how many reach CPNet is known, and follows when a cable is moved."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from hatang_agent.identity import load_credential
from hatang_collector.domain.estate import Estate, Method, Network, Site, SiteUnit, Target, Unit
from hatang_collector.ledger import estate
from support.namespaces import Box, Cable, Lab, Wiring, ip
from support.namespaces import Network as Wire
from support.stack import Stack, now_ms
from support.wait import until

LIVELY = "[schedule]\nsample_s = 5\n[reporting]\nreport_s = 60\n[probes.networks]\nspread_s = 0\n"
MACHINES = 13
UNIT = Unit("20161", "UBND xã Khe Tre")
SITE = Site("khe-tre", "Trụ sở UBND xã Khe Tre")

Reach = dict[tuple[str, str], str]


@pytest.fixture
def wiring(lab: Lab) -> Iterator[Wiring]:
    """Makes networks and cables to boxes, and takes them away."""
    made = Wiring(lab.folder)
    yield made
    made.close()


@dataclass
class Office:
    """The machines of a site with their cables, and what the collector knows of them."""

    stack: Stack
    boxes: list[Box]
    cables: dict[tuple[int, str], Cable] = field(default_factory=dict)
    agents: list[str] = field(default_factory=list)

    def declare(self, cpnet: Wire, internet: Wire) -> None:
        """The unit, its site and the targets by which both networks are known."""
        targets = (
            Target("cpnet-1", Network.CPNET, Method.ICMP, cpnet.target, unit=UNIT.code),
            Target("internet-1", Network.INTERNET, Method.TCP, f"{internet.target}:80"),
        )

        def change(before: Estate) -> Estate:
            return Estate(
                units=(UNIT,),
                sites=(SITE,),
                site_units=(SiteUnit(SITE.code, UNIT.code),),
                staff_groups=before.staff_groups,
                targets=targets,
            )

        with self.stack.ledger() as ledger:
            estate.edit(ledger, change, who="test", role="admin", now_ms=now_ms())

    def line(self) -> str:
        """The one line that is typed on every machine."""
        words = ["--role", "pc", "--unit", UNIT.code, "--site", SITE.code, "--staff-group", "cbcc"]
        said = self.stack.run("tokens", "create", *words, "--uses", str(MACHINES)).stdout
        found = re.search(r"hatang-agent (enroll .+)", said)
        assert found is not None, said
        return found[1]

    def enrol(self) -> None:
        """Type the line on every machine, and start its agent."""
        line = self.line()
        host = re.search(r"--url https://([\d.]+):", line)
        assert host is not None, line
        for box in self.boxes:  # the collector is reached by the line to it and by no other way
            ip("-n", box.name, "route", "add", f"{host[1]}/32", "dev", "eth0")

        def one(number: int) -> str:
            box = self.boxes[number]
            state = str(box.folder / "state")
            words = [*shlex.split(line), "--label", f"PC {number}", "--state", state]
            done = box.run(sys.executable, "-m", "hatang_agent", *words)
            assert done.returncode == 0, done.stderr
            credential = load_credential(box.folder / "state")
            assert credential is not None
            config = box.folder / "agent.toml"
            config.write_text(LIVELY, encoding="utf-8")
            box.start(sys.executable, "-m", "hatang_agent", "run", "--config", str(config), "--state", state)
            return credential.agent

        with ThreadPoolExecutor(4) as pool:
            self.agents = list(pool.map(one, range(len(self.boxes))))

    def facts(self, number: int, kind: str) -> list[dict[str, Any]]:
        """The facts of a kind that the API tells of a machine."""
        told = self.stack.api(f"/api/v1/machines/{self.agents[number]}")["facts"]
        return [one["fields"] for one in told if one["kind"] == kind]

    def reach(self, number: int) -> Reach:
        """What the API tells of a machine: network and path to yes, no or not_tested."""
        facts = self.facts(number, "network_reach")
        return {(one["network"], one["source"]): one["reached"] for one in facts}

    def reaching(self, network: str) -> str:
        """How many machines reach a network, of those of which the API knows anything: ``10/13``."""
        known = [reach for number in range(len(self.agents)) if (reach := self.reach(number))]
        yes = [
            one for one in known if any(word == "yes" for (name, _), word in one.items() if name == network)
        ]
        return f"{len(yes)}/{len(known)}"

    def figure(self, network: str) -> str:
        """The now-figure of the site as the API has it and the board shows it: ``10/13``."""
        asked = self.stack.api(f"/api/v1/sites/{SITE.code}")["site"]["asked"]
        (now,) = [one["now"] for one in asked if (one["question"], one["network"]) == ("reach", network)]
        return f"{now['a']}/{now['b']}" if now else ""


@pytest.fixture
def office(stack: Stack, lab: Lab, wiring: Wiring) -> Office:
    """Seven machines with CPNet, three with both networks, two with the Internet, one with a dead cable."""
    cpnet, internet = wiring.network(71), wiring.network(72)
    internet.start(sys.executable, "-m", "http.server", "80", "--bind", internet.target)
    made = Office(stack, [lab.box() for _ in range(MACHINES)])
    for number, box in enumerate(made.boxes):
        first = cpnet if number < 10 else internet
        made.cables[number, "eth1"] = wiring.cable(box, first)
        if number in (7, 8, 9):
            made.cables[number, "eth2"] = wiring.cable(box, internet, "eth2")
    made.cables[12, "eth1"].cut()
    stack.start()
    made.declare(cpnet, internet)
    made.enrol()
    return made


@pytest.mark.timeout(300)
def test_ten_of_thirteen_machines_reach_cpnet(office: Office, wiring: Wiring) -> None:
    """The count is right, follows a cable that is moved or cut, and no path speaks for another one."""
    cpnet, internet = wiring.networks
    until(
        lambda: office.reaching("cpnet") == "10/13", 120, f"10/13, see {wiring.folder}/*/log.txt", every_s=1
    )

    until(lambda: office.figure("cpnet") == "10/13", 30, "the board's figure is 10/13", every_s=1)
    assert office.reaching("internet") == "5/13"
    assert office.reach(0) == {("cpnet", "eth1"): "yes", ("internet", "eth1"): "no"}
    assert office.reach(7) == {
        ("cpnet", "eth1"): "yes",
        ("cpnet", "eth2"): "no",
        ("internet", "eth1"): "no",
        ("internet", "eth2"): "yes",
    }
    assert office.reach(10) == {("cpnet", "eth1"): "no", ("internet", "eth1"): "yes"}
    assert office.reach(12) == {("cpnet", "eth1"): "not_tested", ("internet", "eth1"): "not_tested"}
    assert {one["how"] for one in office.facts(12, "network_reach")} == {"no link"}
    both = [number for number in range(MACHINES) if office.facts(number, "dual_homed")]
    assert both == [7, 8, 9]
    assert office.facts(7, "dual_homed") == [{"networks": "cpnet,internet", "paths": "eth1,eth2"}]
    (how,) = [one["how"] for one in office.facts(0, "network_reach") if one["reached"] == "yes"]
    assert how == f"icmp {cpnet.target}"

    wiring.move(office.cables[10, "eth1"], cpnet)
    until(lambda: office.reaching("cpnet") == "11/13", 60, "a machine was moved to CPNet", every_s=1)
    until(lambda: office.figure("cpnet") == "11/13", 30, "the board's figure follows", every_s=1)
    assert office.reach(10) == {("cpnet", "eth1"): "yes", ("internet", "eth1"): "no"}

    office.cables[7, "eth1"].cut()
    until(lambda: office.reaching("cpnet") == "10/13", 60, "a cable was cut", every_s=1)
    assert office.reach(7) == {
        ("cpnet", "eth1"): "not_tested",
        ("cpnet", "eth2"): "no",
        ("internet", "eth1"): "not_tested",
        ("internet", "eth2"): "yes",
    }, "the living cable does not stand in for the dead one"
    assert office.facts(7, "dual_homed") == []

    wiring.move(office.cables[0, "eth1"], internet)
    until(lambda: office.reaching("cpnet") == "9/13", 60, "a machine was moved to the Internet", every_s=1)
    until(lambda: office.figure("cpnet") == "9/13", 30, "the board's figure follows", every_s=1)
    assert office.reaching("internet") == "5/13"
    office.cables[7, "eth1"].mend()
    office.cables[12, "eth1"].mend()
    until(
        lambda: (office.reaching("cpnet"), office.reaching("internet")) == ("10/13", "6/13"),
        60,
        "mended cables",
        every_s=1,
    )
