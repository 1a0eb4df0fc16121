"""Recorded machines with targets: what a replay of the networks probe tells, by the command line too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.stack import command

CASES = sorted((Path(__file__).parents[1] / "agent_measure/cases").glob("*/networks.json"))


def test_there_are_cases() -> None:
    """A Linux machine and a Windows one at least."""
    assert len(CASES) >= 2


@pytest.mark.parametrize("expected", CASES, ids=lambda path: path.parent.name)
def test_a_recorded_machine_tells_its_networks(expected: Path, tmp_path: Path) -> None:
    """Exactly the facts that are written beside the recording."""
    wanted: dict[str, Any] = json.loads(expected.read_text(encoding="utf-8"))
    settings = tmp_path / "agent.toml"
    settings.write_text(f"[probes.networks]\ntargets = {json.dumps(wanted['targets'])}\n", encoding="utf-8")
    words = ("networks", "--replay", str(expected.parent), "--config", str(settings), "--json")
    done = command("agent", "once", *words)
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    facts = {f"{one['kind']} {one['key']}".strip(): one["fields"] for one in run["facts"]}
    assert facts == wanted["facts"]


def test_targets_may_be_given_on_the_command_line() -> None:
    """A list with commas, for a look without a file."""
    case = CASES[0].parent
    done = command(
        "agent", "once", "networks", "--replay", str(case), "--set", "targets=a icmp 192.0.2.1,b icmp c.vn"
    )
    assert done.returncode == 0, done.stderr
    assert "icmp 192.0.2.1: not recorded" in done.stdout
    assert "icmp c.vn: the name has no address" in done.stdout
