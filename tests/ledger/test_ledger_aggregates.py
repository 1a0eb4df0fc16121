"""Machines, credentials, tokens, configuration numbers, clocks, cursors, findings: on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hatang_collector.ledger import (
    clocks,
    config_numbers,
    credentials,
    cursors,
    findings,
    machines,
    secrets,
    tokens,
)
from hatang_collector.ledger.engine import Connection, Ledger
from hatang_collector.ledger.findings import WITHDRAWN, Origin
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.tables import TOKENS
from hatang_collector.ledger.tokens import EnrolToken, TokenRefusal
from ledger.together import together

AGENT = "a" * 16
OTHER = "b" * 16
DAY = 24 * 3_600_000
MACHINE = Machine(AGENT, "Máy 01", "TS-0001", "pc", 100)


def test_machines_are_kept_and_changed_field_by_field(ledger: Ledger) -> None:
    """What is not given stays as it was; unknown machines are None."""
    with ledger.write() as c:
        machines.add(c, MACHINE)
        machines.add(c, Machine(OTHER, "Máy 00", "", "probe", 200))
        assert machines.change(c, AGENT, label="Máy 1\0") == replace(MACHINE, label="Máy 1\ufffd")
        assert machines.change(c, AGENT, asset_code="TS-2") == Machine(
            AGENT, "Máy 1\ufffd", "TS-2", "pc", 100
        )
        assert machines.change(c, AGENT) == machines.get(c, AGENT)
        assert machines.change(c, "c" * 16, label="x") is None
        assert [machine.label for machine in machines.every(c)] == ["Máy 00", "Máy 1\ufffd"]


def test_an_agent_is_added_once(ledger: Ledger) -> None:
    """A second machine of the same agent is a bug of the caller."""
    with ledger.write() as c:
        machines.add(c, MACHINE)
    with pytest.raises(IntegrityError), ledger.write() as c:
        machines.add(c, MACHINE)


def test_a_retired_machine_keeps_its_first_day_of_retirement(ledger: Ledger) -> None:
    """Retiring twice changes nothing."""
    with ledger.write() as c:
        machines.add(c, MACHINE)
        machines.retire(c, AGENT, 500)
        machines.retire(c, AGENT, 900)
        assert machines.get(c, AGENT) == replace(MACHINE, retired_ms=500)


def test_fingerprints_are_replaced_as_a_whole(ledger: Ledger) -> None:
    """A value that is gone from the hardware is gone from the fingerprint."""
    with ledger.write() as c:
        machines.put_fingerprint(c, AGENT, {"board_serial": "1", "uuid": "x"}, 1)
        machines.put_fingerprint(c, AGENT, {"uuid": "y"}, 2)
        machines.put_fingerprint(c, OTHER, {"uuid": "z"}, 2)
        machines.put_fingerprint(c, "c" * 16, {}, 2)
        assert machines.fingerprints(c) == {AGENT: {"uuid": "y"}, OTHER: {"uuid": "z"}}


def test_credentials_are_bytes_by_agent(ledger: Ledger) -> None:
    """Sealed secrets come back byte for byte, a new one replaces the old."""
    with ledger.write() as c:
        credentials.put(c, AGENT, b"\0\xff1", 1)
        credentials.put(c, AGENT, b"\0\xff2", 2)
        credentials.put(c, OTHER, b"", 2)
        assert credentials.get(c, AGENT) == b"\0\xff2"
        assert credentials.every(c) == [(AGENT, b"\0\xff2"), (OTHER, b"")]
        credentials.remove(c, AGENT)
        assert credentials.get(c, AGENT) is None


def _token(c: Connection, uses: int = 1) -> str:
    return tokens.create(c, role="pc", uses=uses, expires_ms=DAY, now_ms=0, note="tầng 2")


def test_a_token_is_used_as_often_as_it_says(ledger: Ledger) -> None:
    """Each claim uses it once; peeking does not."""
    with ledger.write() as c:
        text = _token(c, 2)
        assert isinstance(tokens.peek(c, text, 1), EnrolToken)
        first = tokens.claim(c, text, 1)
        second = tokens.claim(c, f"  {text.upper()}\n", 1)
        assert tokens.claim(c, text, 1) is TokenRefusal.USED_UP
        assert tokens.peek(c, text, 1) is TokenRefusal.USED_UP

    assert isinstance(first, EnrolToken)
    assert isinstance(second, EnrolToken)
    assert (first.role, first.used, second.used, second.note) == ("pc", 1, 2, "tầng 2")


def test_a_token_ends_at_its_time_and_when_revoked(ledger: Ledger) -> None:
    """The stronger reason is told: revoked before expired before used up."""
    with ledger.write() as c:
        text = _token(c)
        assert isinstance(tokens.peek(c, text, DAY - 1), EnrolToken)
        assert tokens.claim(c, text, DAY) is TokenRefusal.EXPIRED
        revoked = tokens.revoke(c, text.partition("-")[0], 7)
        assert tokens.revoke(c, text.partition("-")[0], 9) == revoked
        assert tokens.claim(c, text, 8) is TokenRefusal.REVOKED
        assert tokens.revoke(c, "nothing", 9) is None

    assert revoked is not None
    assert revoked.revoked_ms == 7


@pytest.mark.parametrize("text", ["", "-", "abc", "\0-\0", "\ud800", "x" * 100_000])
def test_texts_that_are_no_token_are_unknown(ledger: Ledger, text: str) -> None:
    """Hostile texts get the same answer as a wrong one."""
    with ledger.write() as c:
        assert tokens.claim(c, text, 0) is TokenRefusal.UNKNOWN
        assert tokens.peek(c, text, 0) is TokenRefusal.UNKNOWN


def test_the_right_id_with_a_wrong_secret_is_unknown(ledger: Ledger) -> None:
    """The public part alone gives no right, and the answer does not tell that it exists."""
    with ledger.write() as c:
        text = _token(c)
        public = text.partition("-")[0]
        assert tokens.claim(c, f"{public}-{'2' * 20}", 0) is TokenRefusal.UNKNOWN
        stored = str(c.execute(sa.select(TOKENS)).all())

    assert text.partition("-")[2] not in stored


def test_of_parallel_claims_of_the_last_use_one_wins(ledger: Ledger) -> None:
    """The count is compared and set in one step, whatever runs at the same time."""
    with ledger.write() as c:
        text = _token(c, 3)

    def claim() -> object:
        with ledger.write() as c:
            return tokens.claim(c, text, 1)

    results = together(8, claim)

    assert sum(isinstance(result, EnrolToken) for result in results) == 3
    assert [result for result in results if not isinstance(result, EnrolToken)] == [TokenRefusal.USED_UP] * 5


def test_parallel_claims_by_two_programs_keep_the_count(ledger: Ledger, database: str) -> None:
    """Two collectors on one database share the count too."""
    second = Ledger(database)
    with ledger.write() as c:
        text = _token(c)
    turns = iter([ledger, second, ledger, second])

    def claim() -> object:
        with next(turns).write() as c:
            return tokens.claim(c, text, 1)

    results = together(4, claim)
    second.close()

    assert sum(isinstance(result, EnrolToken) for result in results) == 1
    assert results.count(TokenRefusal.USED_UP) == 3


def test_tokens_are_listed_newest_first(ledger: Ledger) -> None:
    """The list shows what is left of each, never a secret."""
    with ledger.write() as c:
        for at in (1, 3, 2):
            tokens.create(c, role="probe", uses=5, expires_ms=DAY, now_ms=at)
        found = tokens.every(c)

    assert [(token.created_ms, token.role, token.uses, token.used) for token in found] == [
        (3, "probe", 5, 0),
        (2, "probe", 5, 0),
        (1, "probe", 5, 0),
    ]


def test_tokens_hold_no_letters_that_are_misread() -> None:
    """A clerk types what is on paper: no 0 o 1 i l, one hyphen, small letters."""
    public, text = secrets.new()

    assert len(public) == 6
    assert text.startswith(f"{public}-")
    assert len(text) == 27
    assert not set("01iloO") & set(text)


def test_configuration_numbers_rise_for_ever(ledger: Ledger) -> None:
    """Each signed configuration has a number of its own, also when two are signed at once."""
    with ledger.write() as c:
        assert config_numbers.current(c, AGENT) is None
        assert config_numbers.next_number(c, AGENT, '{"a":1}') == 1
        assert config_numbers.next_number(c, OTHER, "{}") == 1

    def sign() -> object:
        with ledger.write() as c:
            return config_numbers.next_number(c, AGENT, '{"a":2}')

    numbers = together(5, sign)

    with ledger.read() as c:
        assert config_numbers.current(c, AGENT) == (6, '{"a":2}')
    assert set(numbers) == {2, 3, 4, 5, 6}


def test_clock_segments_are_stored_once(ledger: Ledger) -> None:
    """A segment that is told again changes nothing; they come in order."""
    late = clocks.Segment(AGENT, "boot", 5_000, 2**52)
    early = clocks.Segment(AGENT, "boot", 0, -3)
    with ledger.write() as c:
        for segment in (late, early, late):
            clocks.put(c, segment)
        assert clocks.every(c) == [early, late]


def test_cursors_are_by_projection_and_stream(ledger: Ledger) -> None:
    """Clearing one projection leaves the others where they are."""
    with ledger.write() as c:
        cursors.put(c, "one", "pc", 2**40)
        cursors.put(c, "one", "probe", 2)
        cursors.put(c, "two", "pc", 3)
        cursors.clear(c, "one")
        found = [cursors.get(c, *key) for key in (("one", "pc"), ("one", "probe"), ("two", "pc"))]

    assert found == [0, 0, 3]


def test_a_finding_is_open_once(ledger: Ledger) -> None:
    """The same thing seen again opens nothing; after a person closed it, it may open anew."""
    with ledger.write() as c:
        assert findings.open_finding(c, "clone", AGENT, "k", 1, "first")
        assert not findings.open_finding(c, "clone", AGENT, "k", 2, "again")
        assert findings.open_finding(c, "clone", OTHER, "k", 3, "another machine")
        first = findings.of(c, AGENT)[0]
        findings.close(c, first.id, 5, "lan")
        findings.close(c, first.id, 6, "minh")
        findings.close(c, "unknown", 6, "minh")
        closed = findings.get(c, first.id)
        assert findings.open_finding(c, "clone", AGENT, "k", 7, "anew")
        assert [finding.opened_ms for finding in findings.every(c)] == [7, 3]
        assert len(findings.every(c, open_only=False)) == 3

    assert closed == replace(first, closed_ms=5, closed_by="lan")


def test_what_people_decided_outlives_a_replay(ledger: Ledger) -> None:
    """A derived finding that a person closed stays closed; a withdrawn one opens again under the same id."""
    with ledger.write() as c:
        for key in ("decided", "withdrawn", "open"):
            findings.open_finding(c, "clone", AGENT, key, 1, "x", origin=Origin.JOURNAL)
        findings.open_finding(c, "new_machine", AGENT, "live", 1, "x")
        ids = {finding.key: finding.id for finding in findings.every(c)}
        findings.close(c, ids["decided"], 2, "lan")
        findings.withdraw(c, "clone", AGENT, "withdrawn", 3)
        assert findings.get(c, ids["withdrawn"]).closed_by == WITHDRAWN  # type: ignore[union-attr]
        assert findings.open_finding(c, "clone", AGENT, "withdrawn", 4, "x", origin=Origin.JOURNAL)
        findings.forget_derived(c)
        assert {finding.key for finding in findings.every(c, open_only=False)} == {"decided", "live"}
        assert not findings.open_finding(c, "clone", AGENT, "decided", 5, "x", origin=Origin.JOURNAL)
        assert findings.open_finding(c, "clone", AGENT, "open", 5, "x", origin=Origin.JOURNAL)
        assert {finding.key: finding.id for finding in findings.every(c)} == {
            "live": ids["live"],
            "open": ids["open"],
        }
