"""Enrolment: who gets an identity, who gets an old one back, and what is left when it fails half-way."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.lab import DAY_MS, HARDWARE, NOW_MS, Installation, Peers
from hatang_agent.wire import topics
from hatang_agent.wire.messages import EnrolRequest
from hatang_collector.broker.contract import BrokerUnavailable
from hatang_collector.broker.enrol import EnrolRefusal, EnrolRefused, checked, new_agent_id
from hatang_collector.broker.hardware import GENERIC_VALUES, Doubt, Known, common, identifying, recognise
from hatang_collector.ledger import credentials, findings, machines, tokens


def test_an_enrolled_agent_can_connect_at_once(installation: Installation, peers: Peers) -> None:
    """The reply is enough to connect, and the ledger holds the machine, its secret sealed."""
    reply = installation.enrol("Máy văn thư 1", role="probe", asset_code="TS-0042", fingerprint=HARDWARE)

    assert installation.connect(peers, reply).refused == ""
    with installation.ledger.read() as c:
        machine = machines.get(c, reply.agent)
        sealed = credentials.get(c, reply.agent)
        kept = machines.fingerprints(c)[reply.agent]
    assert machine == machines.Machine(reply.agent, "Máy văn thư 1", "TS-0042", "probe", NOW_MS)
    assert sealed is not None
    assert bytes.fromhex(reply.secret) not in sealed
    assert kept == HARDWARE
    assert (reply.role, reply.recovered) == ("probe", False)
    assert re.fullmatch("[0-9a-f]{64}", reply.secret)


def test_texts_are_kept_in_one_unicode_form(installation: Installation) -> None:
    """A label typed with combining marks is stored as the same letters composed."""
    reply = installation.enrol("  Ma\u0301y va\u0306n thu\u031b ", asset_code="Đ1")

    with installation.ledger.read() as c:
        machine = machines.get(c, reply.agent)
    assert machine is not None
    assert (machine.label, machine.asset_code) == ("Máy văn thư", "Đ1")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"label": "x" * 101}, EnrolRefusal.BAD_LABEL),
        ({"label": "hai\ndòng"}, EnrolRefusal.BAD_LABEL),
        ({"label": "ẩn\u202e"}, EnrolRefusal.BAD_LABEL),
        ({"label": "\x00"}, EnrolRefusal.BAD_LABEL),
        ({"asset_code": "x" * 65}, EnrolRefusal.BAD_ASSET_CODE),
        ({"version": "x" * 65}, EnrolRefusal.BAD_VERSION),
        ({"fingerprint": {str(n): "abcd" for n in range(65)}}, EnrolRefusal.BAD_FINGERPRINT),
        ({"fingerprint": {"mac": "x" * 129}}, EnrolRefusal.BAD_FINGERPRINT),
        ({"fingerprint": {"x" * 129: "abcd"}}, EnrolRefusal.BAD_FINGERPRINT),
        ({"label": "\ud800"}, EnrolRefusal.BAD_LABEL),
    ],
)
def test_a_bad_request_uses_up_no_token(
    installation: Installation, given: dict[str, Any], reason: EnrolRefusal
) -> None:
    """What cannot be stored is refused with its reason before anything happens."""
    token = installation.token()
    request = EnrolRequest(**{"token": token, "version": "0.1.0", "label": "máy", **given})

    with pytest.raises(EnrolRefused) as refused:
        installation.enroller.enrol(request, NOW_MS)

    assert refused.value.reason is reason
    assert refused.value.hint
    assert installation.enrol(token=token).agent


@given(st.text(max_size=120), st.text(max_size=70))
def test_any_text_is_taken_or_refused(label: str, asset_code: str) -> None:
    """Checking never fails in another way, and what it lets through it lets through again unchanged."""
    try:
        request = checked(EnrolRequest("t", "1", label, asset_code))
    except EnrolRefused:
        return

    assert checked(request) == request
    assert len(request.label) <= 100


def test_a_token_gives_what_it_grants_and_no_more(installation: Installation) -> None:
    """Unknown, expired, revoked and used-up tokens are told apart; the last use is the last."""
    used = installation.token(uses=2)
    installation.enrol(token=used)
    installation.enrol(token=used)
    revoked = installation.token()
    with installation.ledger.write() as c:
        for made in tokens.every(c):
            if not made.used:
                tokens.revoke(c, made.id, NOW_MS)
    expired = installation.token(expires_ms=NOW_MS)
    expected = {
        "no-such-token": EnrolRefusal.TOKEN_UNKNOWN,
        "": EnrolRefusal.TOKEN_UNKNOWN,
        used: EnrolRefusal.TOKEN_USED_UP,
        revoked: EnrolRefusal.TOKEN_REVOKED,
        expired: EnrolRefusal.TOKEN_EXPIRED,
    }

    found = {}
    for token in expected:
        with pytest.raises(EnrolRefused) as refused:
            installation.enroller.enrol(EnrolRequest(token, "1", "x", "", HARDWARE), NOW_MS)
        found[token] = refused.value.reason

    assert found == expected


def open_findings(installation: Installation) -> list[tuple[str, str]]:
    """(kind, agent) of every open finding."""
    with installation.ledger.read() as c:
        return [(finding.kind, finding.agent) for finding in findings.every(c)]


def test_a_wiped_machine_gets_its_identity_back(installation: Installation, peers: Peers) -> None:
    """Same id, new secret, even when the token is used up; the old secret no longer works."""
    token = installation.token()
    first = installation.enrol("Máy kế toán", token=token, fingerprint=HARDWARE)
    connected = installation.connect(peers, first)
    second = installation.enrol("", token=token, fingerprint={**HARDWARE, "mac": "d4:81:d7:00:00:01"})

    assert (second.agent, second.recovered) == (first.agent, True)
    assert second.secret != first.secret
    assert connected.thrown_out.get(timeout=5)
    assert installation.connect(peers, second).refused == ""
    assert installation.connect(peers, first).refused == "Not authorized"
    assert open_findings(installation) == [("re_enrolled", first.agent)]
    with installation.ledger.read() as c:
        machine = machines.get(c, first.agent)
        kept = machines.fingerprints(c)[first.agent]
    assert machine is not None
    assert machine.label == "Máy kế toán"
    assert kept["mac"] == "d4:81:d7:00:00:01"


def test_a_recovery_leaves_the_token_its_uses(installation: Installation) -> None:
    """Getting an identity back takes no use from a token that has some left."""
    first = installation.enrol(fingerprint=HARDWARE)
    token = installation.token(uses=1)
    again = installation.enrol(token=token, fingerprint=HARDWARE)

    assert again.agent == first.agent
    assert installation.enrol("máy mới", token=token).agent != first.agent


@pytest.mark.parametrize(
    ("now", "fingerprint", "role", "doubt"),
    [
        ("live", HARDWARE, "pc", Doubt.OLD_IS_LIVE),
        ("retired", HARDWARE, "pc", Doubt.OLD_IS_RETIRED),
        ("", HARDWARE, "probe", Doubt.OTHER_ROLE),
        ("", {"board_serial": HARDWARE["board_serial"]}, "pc", Doubt.FEW_VALUES),
    ],
)
def test_a_doubt_makes_a_new_machine_and_a_finding(
    installation: Installation, now: str, fingerprint: dict[str, str], role: str, doubt: Doubt
) -> None:
    """Live, retired, of another role or hardly alike: a new identity, and a person is asked to look."""
    first = installation.enrol(fingerprint=HARDWARE)
    if now == "live":
        installation.live.add(first.agent)
    if now == "retired":
        installation.enroller.retire(first.agent, NOW_MS)

    second = installation.enrol(role=role, fingerprint=fingerprint)

    assert second.agent != first.agent
    assert not second.recovered
    with installation.ledger.read() as c:
        (finding,) = findings.every(c)
    assert (finding.kind, finding.agent, finding.key) == ("same_hardware", second.agent, first.agent)
    assert str(doubt) in finding.detail


def test_an_expired_or_revoked_token_gives_nothing_back(installation: Installation) -> None:
    """Knowing the hardware of a machine is not enough to become it."""
    installation.enrol(fingerprint=HARDWARE)
    for token in (installation.token(expires_ms=NOW_MS - DAY_MS), "no-such-token"):
        with pytest.raises(EnrolRefused):
            installation.enrol(token=token, fingerprint=HARDWARE)


def test_generic_values_are_not_an_identity(installation: Installation) -> None:
    """Machines of a maker who left every field at its default stay machines of their own."""
    values = {
        "smbios_uuid": "03000200-0400-0500-0006-000700080009",
        "board_serial": "Default string",
        "mac": "02:00:00:00:00:01",
    }
    agents = {installation.enrol(f"máy {number}", fingerprint=values).agent for number in range(3)}

    assert len(agents) == 3
    assert open_findings(installation) == []


def state(installation: Installation) -> list[Any]:
    """Everything an enrolment changes in the ledger, and the broker's accounts."""
    with installation.ledger.read() as c:
        rows = (
            machines.every(c),
            machines.fingerprints(c),
            credentials.every(c),
            findings.every(c),
            tokens.every(c),
        )
    text = (installation.folder / "dynamic-security.json").read_text(encoding="utf-8")
    return [*rows, sorted(set(re.findall(r'"username":\s*"([a-z2-7]{16})"', text)))]


@pytest.mark.parametrize("recovering", [False, True])
def test_a_ledger_that_fails_leaves_nothing_behind(
    installation: Installation, peers: Peers, monkeypatch: pytest.MonkeyPatch, recovering: bool
) -> None:
    """When the last write fails, ledger, broker and token are as before, and an old secret still works."""
    first = installation.enrol(fingerprint=HARDWARE)
    token = installation.token()
    before = state(installation)

    def broken(*_: object) -> None:
        raise RuntimeError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(machines, "put_fingerprint", broken)
        with pytest.raises(RuntimeError, match="disk full"):
            installation.enrol(token=token, fingerprint=HARDWARE if recovering else {})

    assert state(installation) == before
    assert installation.connect(peers, first).refused == ""
    assert installation.enrol(token=token, fingerprint=HARDWARE if recovering else {}).recovered is recovering


def test_a_broker_that_does_not_answer_refuses_with_a_reason(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token keeps its use and the person is told to try again."""
    token = installation.token()
    before = state(installation)

    def gone(*_: object) -> None:
        raise BrokerUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(installation.broker.accounts, "grant", gone)
        with pytest.raises(EnrolRefused) as refused:
            installation.enrol(token=token)

    assert refused.value.reason is EnrolRefusal.BROKER_UNAVAILABLE
    assert state(installation) == before
    assert installation.enrol(token=token).agent


def test_the_last_use_of_a_token_goes_to_one_of_many(installation: Installation) -> None:
    """Eight machines with one token of three uses at the same time: three identities."""
    token = installation.token(uses=3)
    outcomes: list[object] = []

    def one(number: int) -> None:
        try:
            outcomes.append(installation.enrol(f"máy {number}", token=token))
        except EnrolRefused as refused:
            outcomes.append(refused.reason)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(EnrolRefusal.TOKEN_USED_UP) == 5
    with installation.ledger.read() as c:
        assert len(machines.every(c)) == 3


def test_agent_ids_are_what_topics_take() -> None:
    """Ids fit the topics and do not repeat."""
    made = {new_agent_id() for _ in range(200)}

    assert len(made) == 200
    assert all(topics.AGENT_PATTERN.fullmatch(agent) for agent in made)


@pytest.mark.parametrize(
    "value",
    [
        *sorted(GENERIC_VALUES)[::7], "", " ", "0", "abc", "00000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "00000000-0000-0000-0000-000000000000", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:42:ac:11:00:02",
        "01:00:5e:00:00:fb", "TO BE FILLED  BY O.E.M.", "........", "XXXXXXXX",
    ],
)  # fmt: skip
def test_values_that_many_machines_share_say_nothing(value: str) -> None:
    """Defaults of makers, repetitions, and random or group MAC addresses are not identifying."""
    assert identifying(value) == ""


@pytest.mark.parametrize("value", [*HARDWARE.values(), "PF1ABCDE", "S3Z9NB0K123456"])
def test_real_values_identify_in_any_spelling(value: str) -> None:
    """Case, spaces and separators do not make a different machine."""
    assert identifying(value) == identifying(f" {value.upper().replace(':', '-')} ") != ""


VALUES = st.sampled_from(["serial-one", "serial-two", "serial-three", "Default string", "00000000", "none"])
PRINTS = st.dictionaries(st.sampled_from(["uuid", "board", "disk", "mac"]), VALUES)


@given(PRINTS, PRINTS)
def test_what_two_fingerprints_share(ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Symmetric, never more than either has, and the same value under two names counts once."""
    shared = common(ours, theirs)

    assert shared == common(theirs, ours)
    assert shared <= len({identifying(value) for value in ours.values()} - {""})
    assert common(ours, ours) == len({identifying(value) for value in ours.values()} - {""})
    assert common({"a": "serial-one", "b": "serial-one"}, {"c": "SERIAL-ONE"}) == 1


KNOWN = st.lists(
    st.builds(
        Known,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["pc", "probe"]),
        st.booleans(),
        st.integers(0, 9),
        PRINTS,
    ),
    max_size=4,
    unique_by=lambda machine: machine.agent,
)


@given(PRINTS, KNOWN, st.sampled_from(["pc", "probe", None]), st.sets(st.sampled_from(["a", "b", "c"])))
def test_an_identity_is_given_back_only_beyond_doubt(
    fingerprint: Mapping[str, str], known: list[Known], role: str | None, live: set[str]
) -> None:
    """Never a live, retired or otherwise used one, never on fewer than two shared values."""
    match = recognise(fingerprint, known, role, live.__contains__)

    if match is None:
        assert all(common(fingerprint, machine.fingerprint) == 0 for machine in known)
        return
    (machine,) = [machine for machine in known if machine.agent == match.agent]
    assert match.values == common(fingerprint, machine.fingerprint) > 0
    if match.doubt is None:
        assert match.values >= 2
        assert not machine.retired
        assert machine.agent not in live
        assert role in (None, machine.role)
