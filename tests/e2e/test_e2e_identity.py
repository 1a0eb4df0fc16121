"""State folders that were copied, set back or wiped, and agents that were killed: nothing lost or doubled."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.e2e_books import agree, nothing_lost
from e2e.e2e_witness import Witnessed, settle
from hatang_agent.wire.messages import EnrolReply
from hatang_collector.app import Data
from hatang_collector.ledger import findings, machines
from support.stack import Stack, now_ms
from support.wait import until

FINGERPRINT = {"smbios_uuid": "4c4c4544-0042-3510-8052-b4c04f333732", "board_serial": "/7BH8X52/CNWS200"}


@dataclass(frozen=True)
class World:
    """What came of four agents that shared one collector through it all."""

    data: Data
    ids: dict[str, str]
    witnesses: dict[str, list[Path]]
    findings: dict[str, set[str]]
    replies: list[EnrolReply]


def kinds(stack: Stack, agent: str) -> set[str]:
    """Kinds of the open findings of an agent."""
    with stack.ledger() as ledger, ledger.read() as c:
        return {found.kind for found in findings.of(c, agent)}


@contextmanager
def suffering(stack: Stack) -> Iterator[World]:
    """Four agents; the collector is killed, and each agent's state meets a fate of its own."""
    names = ("clone", "restored", "wiped", "killed")
    agents = {name: Witnessed(stack, name, index + 1) for index, name in enumerate(names)}
    copy = Witnessed(stack, "copy", 9)
    token = stack.token()
    replies = [stack.enrol(agents["wiped"].state, token, "wiped", FINGERPRINT)]
    ids = {name: agents[name].enrol() for name in names if name != "wiped"} | {"wiped": replies[0].agent}
    for agent in agents.values():
        agent.start()
    until(lambda: all(stack.receipts(one).runs >= 2 for one in ids.values()), 30, "all are heard")
    agents["wiped"].stop()

    stack.collector.kill()
    rest = [agent for name, agent in agents.items() if name != "wiped"]
    until(lambda: all(sum(agent.waiting()) >= 4 for agent in rest), 20, "runs wait in the outboxes")
    for agent in rest:
        agent.kill()
    shutil.copytree(agents["clone"].state, copy.state, dirs_exist_ok=True)
    backup = stack.folder / "backup"
    shutil.copytree(agents["restored"].state, backup)
    shutil.rmtree(agents["wiped"].state)
    agents["wiped"].state.mkdir()
    stack.start()
    replies.append(stack.enrol(agents["wiped"].state, token, "wiped", FINGERPRINT))
    before = stack.receipts(ids["restored"]).runs
    for agent in (*agents.values(), copy):
        agent.start()
    until(lambda: stack.receipts(ids["restored"]).runs > before + 6, 30, "the backlog and more is in")

    agents["restored"].stop()
    shutil.rmtree(agents["restored"].state)
    backup.rename(agents["restored"].state)
    agents["restored"].start()
    until(lambda: "restored" in kinds(stack, ids["restored"]), 30, "finding: restored")
    until(lambda: "clone" in kinds(stack, ids["clone"]), 30, "finding: clone")
    until(lambda: "state_lost" in kinds(stack, ids["wiped"]), 30, "finding: state_lost")
    settle([*agents.values(), copy])
    found = {name: kinds(stack, one) for name, one in ids.items()}
    stack.collector.stop()
    witnesses = {name: [agent.witness] for name, agent in agents.items()}
    witnesses["clone"].append(copy.witness)
    with stack.opened() as data:
        yield World(data, ids, witnesses, found, replies)


@pytest.fixture(scope="module")
def world(mosquitto: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all tests of this file: its fates take half a minute together."""
    stack = Stack(tmp_path_factory.mktemp("identity"))
    stack.start()
    try:
        with suffering(stack) as made:
            yield made
    finally:
        stack.stop()


def test_a_copied_state_folder_is_a_clone(world: World) -> None:
    """Two copies running at once are found out; the runs of both are kept, each counted once."""
    assert world.findings["clone"] == {"clone"}
    nothing_lost(world.data, world.ids["clone"], *world.witnesses["clone"])


def test_a_restored_state_folder_is_told(world: World) -> None:
    """An older copy of the state is found out; the runs that it sends once more are counted once."""
    assert world.findings["restored"] == {"restored"}
    nothing_lost(world.data, world.ids["restored"], *world.witnesses["restored"])


def test_a_wiped_machine_is_itself_again(world: World) -> None:
    """Known hardware gets its identity back without a second use of the token; what was acked is there."""
    first, second = world.replies

    assert (first.recovered, second.recovered) == (False, True)
    assert second.agent == first.agent
    assert second.secret != first.secret
    assert world.findings["wiped"] == {"re_enrolled", "state_lost"}
    nothing_lost(world.data, world.ids["wiped"], *world.witnesses["wiped"])


def test_a_killed_agent_is_no_finding(world: World) -> None:
    """Kill -9 with unacknowledged reports loses nothing, doubles nothing and says nothing."""
    assert world.findings["killed"] == set()
    nothing_lost(world.data, world.ids["killed"], *world.witnesses["killed"])


def test_the_books_agree(world: World) -> None:
    """Receipts, series and rollups hold exactly the runs of the journal; there are four machines."""
    with world.data.ledger.read() as c:
        everyone: list[Any] = machines.every(c)

    assert len(everyone) == 4
    agree(world.data, now_ms())
