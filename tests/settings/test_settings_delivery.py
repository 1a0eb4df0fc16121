"""From the page to a running agent and back, through a real broker."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from broker.lab import Peers
from hatang_agent.identity import Credential
from hatang_agent.wire import codec, topics
from hatang_collector.broker.embedded import COLLECTOR
from hatang_collector.domain.settings import Delivery
from hatang_collector.ledger import deliveries, tokens, users
from hatang_collector.ledger.deliveries import Report
from hatang_collector.ledger.roles import Role
from hatang_collector.web.security import SESSION_COOKIE
from settings.province import found, put
from support.servers import program
from support.stack import DAY_MS, Stack, now_ms
from support.wait import until


@pytest.fixture
def mosquitto() -> None:
    """Mosquitto is installed; the collector starts its own. Its absence is a counted skip."""
    if program("mosquitto") is None:
        pytest.fail("mosquitto is not installed (apt-get install mosquitto)")


@pytest.fixture
def stack(mosquitto: None, tmp_path: Path) -> Iterator[Stack]:
    """A collector of this test alone, started, with its own broker."""
    made = Stack(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()
    assert "Traceback" not in made.collector.said(), made.collector.said()[-3000:]


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Clients of the broker that pretend."""
    made = Peers()
    yield made
    made.close()


def admin(stack: Stack) -> httpx.Client:
    """A browser of an administrator."""
    with stack.ledger() as ledger, ledger.write() as c:
        users.create(c, "chi", Role.ADMIN, "một mật khẩu dài", must_change=False, now_ms=now_ms())
        text = users.open_session(c, "chi", now_ms())
    headers = {"origin": stack.url, "accept": "text/html"}
    return httpx.Client(base_url=stack.url, headers=headers, cookies={SESSION_COOKIE: text}, timeout=20)


def report(stack: Stack, agent: str) -> Report:
    """What the ledger knows about the configuration of a machine."""
    with stack.ledger() as ledger, ledger.read() as c:
        return deliveries.reports(c, [agent])[agent]


def at(stack: Stack, agent: str, state: Delivery, number: int) -> bool:
    """Whether a machine has come so far."""
    known = report(stack, agent)
    return (known.state, known.in_force) == (state, number)


def in_force(state: Path) -> tuple[int, object]:
    """(number, content) that the agent keeps in its folder."""
    kept = json.loads((state / "remote-config.json").read_bytes())
    return kept["number"], kept["content"]


def enrolled(stack: Stack, state: Path) -> str:
    """A machine whose token belongs to the site of Quảng Điền."""
    with stack.ledger() as ledger, ledger.write() as c:
        expires = now_ms() + DAY_MS
        token = tokens.create(c, role="pc", uses=1, expires_ms=expires, now_ms=now_ms(), site="qd1")
    state.mkdir()
    return stack.enrol(state, token, "Máy một cửa").agent


def forge(stack: Stack, peers: Peers, credential: Credential) -> None:
    """Somebody who stole the broker's password, but has no agent's key, leaves a configuration."""
    password = json.loads((stack.data / "keys" / "broker-logins.json").read_text())[COLLECTOR]
    (address,) = credential.brokers
    rogue = peers.connect(address.port, COLLECTOR, password, credential.ca_pem, host=address.host)
    assert rogue.refused == ""
    wanted = {"reporting": {"report_s": 86_400.0}}
    forged = codec.encode(codec.sign(b"a guessed key", credential.agent, 99, wanted))
    rogue.client.publish(topics.config(credential.agent), forged, qos=1, retain=True)
    assert rogue.answers.get(timeout=10) == "Success"


def test_a_value_set_at_a_unit_arrives_and_a_forged_one_does_not(
    stack: Stack, tmp_path: Path, peers: Peers
) -> None:
    """It holds at enrolment, follows the page, is acknowledged and shown; what a rogue sends is refused."""
    with stack.ledger() as ledger:
        found(ledger)
        put(ledger, "unit:20014", "reporting.report_s", 1)
    state = tmp_path / "agent"
    agent = enrolled(stack, state)
    stack.agent(state)
    until(lambda: at(stack, agent, Delivery.ACCEPTED, 1), 20, "the first configuration is acknowledged")
    assert in_force(state) == (1, {"reporting": {"report_s": 1}})

    with admin(stack) as browser:
        form = {"scope": "unit:46", "key": "probes.usage.max_disks", "value": "2"}
        assert browser.post("/settings/set", data=form).status_code == 303
        until(lambda: at(stack, agent, Delivery.ACCEPTED, 2), 20, "the change is acknowledged")
        changed = {"probes": {"usage": {"max_disks": 2}}, "reporting": {"report_s": 1}}
        assert in_force(state) == (2, changed)
        assert "Mọi máy đã xác nhận" in browser.get("/settings").text

        forge(stack, peers, stack.credential(state))
        until(lambda: at(stack, agent, Delivery.STRANGE, 2), 20, "the forged one is told")
        assert in_force(state) == (2, changed)
        page = browser.get("/settings").text
        assert "Nhận cấu hình lạ và đã từ chối" in page
        assert "Từ chối số 99" in page
        assert "chữ ký không phải cho máy này" in page
        machine = browser.get(f"/machines/{agent}").text
        assert "đã từ chối" in machine


def test_a_value_the_agent_cannot_use_is_shown_as_refused(stack: Stack, tmp_path: Path) -> None:
    """An agent that knows less than we do says why; the page names it, and the old values hold."""
    with stack.ledger() as ledger:
        found(ledger)
        put(ledger, "all", "reporting.report_s", 1)
    state = tmp_path / "agent"
    agent = enrolled(stack, state)
    stack.agent(state)
    until(lambda: at(stack, agent, Delivery.ACCEPTED, 1), 20, "the first configuration is acknowledged")

    with sqlite3.connect(stack.data / "ledger.sqlite", timeout=10) as raw:  # as a newer program would
        raw.execute("UPDATE node_settings SET value = '0.5' WHERE key = 'reporting.report_s'")
        raw.execute("UPDATE estate_version SET number = number + 1")
    raw.close()
    until(lambda: at(stack, agent, Delivery.REFUSED, 1), 20, "the refusal is told")
    assert in_force(state)[0] == 1
    with admin(stack) as browser:
        page = browser.get("/settings").text
        assert "Từ chối số 2" in page
        assert "give at least 1" in page
