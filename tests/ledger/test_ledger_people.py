"""Users, sessions, API tokens, the throttle and the audit log, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from hatang_collector.ledger import audit, passwords, throttle, users
from hatang_collector.ledger.engine import Connection, Ledger
from hatang_collector.ledger.tables import METADATA
from hatang_collector.ledger.users import LoginRefusal, Refused, Role, User, UserRefusal

HOUR = 3_600_000
PASSWORD = "Mật khẩu dài"
REAL_COST = passwords.COST
Act = Callable[[Connection], None]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function with little work: these tests are about who gets in, not how slowly."""
    monkeypatch.setattr(passwords, "COST", passwords.Cost(16, 1, 1))


def _add(ledger: Ledger, name: str = "lan", role: Role = Role.ADMIN) -> None:
    with ledger.write() as c:
        users.create(c, name, role, PASSWORD, must_change=False, now_ms=0)


def _everything(c: Connection) -> str:
    return "\n".join(str(row) for table in METADATA.sorted_tables for row in c.execute(sa.select(table)))


def test_the_right_password_gives_the_user(ledger: Ledger) -> None:
    """A user is found by name in any case and by the password exactly."""
    _add(ledger)
    with ledger.read() as c:
        assert users.verify(c, " LAN ", PASSWORD) == User("lan", Role.ADMIN, False)
        assert users.verify(c, "lan", PASSWORD.upper()) is None
        assert users.verify(c, "nobody", PASSWORD) is None


def test_accents_typed_otherwise_are_the_same_password(ledger: Ledger) -> None:
    """One keyboard sends one code point for a letter with accents, another two."""
    _add(ledger)
    with ledger.read() as c:
        assert users.verify(c, "lan", "Ma\u0302\u0323t kha\u0302\u0309u da\u0300i") is not None


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "lan\0", "../x", "'; DROP TABLE users; --", "\ud800"])
def test_bad_names_are_refused_and_never_found(ledger: Ledger, name: str) -> None:
    """Hostile names are refused with a reason and let nobody in."""
    with pytest.raises(Refused) as caught, ledger.write() as c:
        users.create(c, name, Role.VIEWER, PASSWORD, must_change=False, now_ms=0)
    with ledger.read() as c:
        found = users.verify(c, name, PASSWORD)

    assert caught.value.reason is UserRefusal.BAD_NAME
    assert found is None
    assert users.login(ledger, name, PASSWORD, 0) is LoginRefusal.WRONG


def test_a_name_is_given_once(ledger: Ledger) -> None:
    """A second user of a name, in whatever case, is refused."""
    _add(ledger)
    with pytest.raises(Refused) as caught, ledger.write() as c:
        users.create(c, "LAN", Role.VIEWER, PASSWORD, must_change=False, now_ms=0)

    assert caught.value.reason is UserRefusal.NAME_TAKEN


def test_a_short_password_is_refused(ledger: Ledger) -> None:
    """The reason is told; the password is not."""
    with pytest.raises(Refused) as caught, ledger.write() as c:
        users.create(c, "lan", Role.VIEWER, "s3cret", must_change=False, now_ms=0)

    assert caught.value.reason is UserRefusal.PASSWORD_TOO_SHORT
    assert "s3cret" not in str(caught.value)


def test_the_last_admin_stays(ledger: Ledger) -> None:
    """Nobody can be locked out of the installation: the last admin is neither removed nor demoted."""
    _add(ledger)
    _add(ledger, "minh", Role.VIEWER)
    acts: list[Act] = [lambda c: users.remove(c, "lan"), lambda c: users.change_role(c, "lan", Role.VIEWER)]
    for act in acts:
        with pytest.raises(Refused) as caught, ledger.write() as c:
            act(c)
        assert caught.value.reason is UserRefusal.LAST_ADMIN

    with ledger.write() as c:
        users.change_role(c, "minh", Role.ADMIN)
        users.remove(c, "lan")
        assert users.every(c) == [User("minh", Role.ADMIN, False)]


def test_what_is_not_there_cannot_be_changed(ledger: Ledger) -> None:
    """Every change of an unknown user says so."""
    acts: list[Act] = [
        lambda c: users.remove(c, "ghost"),
        lambda c: users.change_role(c, "ghost", Role.ADMIN),
        lambda c: users.set_password(c, "ghost", PASSWORD),
    ]
    for act in acts:
        with pytest.raises(Refused) as caught, ledger.write() as c:
            act(c)
        assert caught.value.reason is UserRefusal.UNKNOWN


def test_a_session_lives_while_it_is_used(ledger: Ledger) -> None:
    """Twelve hours without use end a session, use prolongs it."""
    _add(ledger)
    with ledger.write() as c:
        text = users.open_session(c, "lan", 0)
        assert users.session(c, text, 11 * HOUR) == User("lan", Role.ADMIN, False)
        assert users.session(c, text, 22 * HOUR) is not None
        assert users.session(c, text, 34 * HOUR) is None
        users.touch_session(c, text, 34 * HOUR)
        assert users.session(c, text, 34 * HOUR) is None


def test_a_session_can_be_asked_for_without_writing(ledger: Ledger) -> None:
    """A page that only reads checks its session on a read transaction; touching is a call of its own."""
    _add(ledger)
    with ledger.write() as c:
        text = users.open_session(c, "lan", 0)
    with ledger.read() as c:
        assert users.session(c, text, 11 * HOUR) is not None
    with ledger.write() as c:
        users.touch_session(c, text, 11 * HOUR)
    with ledger.read() as c:
        assert users.session(c, text, 22 * HOUR) is not None


def test_logging_out_ends_only_that_session(ledger: Ledger) -> None:
    """Another browser of the same user stays logged in."""
    _add(ledger)
    with ledger.write() as c:
        one, other = users.open_session(c, "lan", 0), users.open_session(c, "lan", 0)
        users.close_session(c, one)
        users.close_session(c, "unknown \ud800")
        assert users.session(c, one, 1) is None
        assert users.session(c, other, 1) is not None


def test_a_new_password_and_a_removal_end_every_session(ledger: Ledger) -> None:
    """Whoever had the old password is out at once."""
    _add(ledger)
    _add(ledger, "minh")
    with ledger.write() as c:
        texts = [users.open_session(c, name, 0) for name in ("lan", "minh")]
        users.set_password(c, "lan", PASSWORD, must_change=True)
        users.remove(c, "minh")
        assert [users.session(c, text, 1) for text in texts] == [None, None]
        assert users.verify(c, "lan", PASSWORD) == User("lan", Role.ADMIN, True)


def test_api_tokens_work_until_revoked(ledger: Ledger) -> None:
    """A token speaks with its role under its name; a changed letter or a revoked one gives nothing."""
    with ledger.write() as c:
        text = users.create_api_token(c, "grafana", Role.VIEWER, 5)
        (held,) = users.api_tokens(c)
        assert users.api_token(c, f" {text.upper()} ", HOUR) == User("grafana", Role.VIEWER)
        assert users.api_token(c, text[:-1] + ("2" if text[-1] != "2" else "3"), HOUR) is None
        assert users.api_token(c, "", HOUR) is None
        assert users.api_token(c, "\0\ud800-x", HOUR) is None
        assert [one.used_ms for one in users.api_tokens(c)] == [HOUR]
        users.revoke_api_token(c, held.id)
        assert users.api_token(c, text, HOUR) is None
    assert text.startswith(f"{held.id}-")


def test_no_secret_is_stored_as_it_is(ledger: Ledger) -> None:
    """Whoever copies the ledger holds no password, session or token."""
    _add(ledger)
    with ledger.write() as c:
        session = users.open_session(c, "lan", 0)
        token = users.create_api_token(c, "grafana", Role.VIEWER, 0)
    with ledger.read() as c:
        stored = _everything(c)

    assert PASSWORD not in stored
    assert session not in stored
    assert token.partition("-")[2] not in stored
    assert "scrypt$16$1$1$" in stored


def test_guessing_gets_slower_and_the_owner_gets_in_later(ledger: Ledger) -> None:
    """After three wrong passwords each attempt waits twice as long, even with the right password."""
    _add(ledger)
    for _ in range(throttle.FREE + 1):
        assert users.login(ledger, "lan", "wrong password", 0) is LoginRefusal.WRONG

    assert users.login(ledger, "lan", PASSWORD, 999) is LoginRefusal.THROTTLED
    assert users.login(ledger, "lan", "wrong password", 1_000) is LoginRefusal.WRONG
    assert users.login(ledger, "lan", PASSWORD, 2_999) is LoginRefusal.THROTTLED
    assert users.login(ledger, "lan", PASSWORD, 3_000) == User("lan", Role.ADMIN, False)
    for _ in range(throttle.FREE):
        assert users.login(ledger, "lan", "wrong password", 3_000) is LoginRefusal.WRONG


def test_guessing_one_name_holds_up_no_other(ledger: Ledger) -> None:
    """The throttle counts by name."""
    _add(ledger)
    for _ in range(10):
        users.login(ledger, "minh", "wrong password", 0)

    assert users.login(ledger, "minh", "wrong password", 0) is LoginRefusal.THROTTLED
    assert users.login(ledger, "lan", PASSWORD, 0) == User("lan", Role.ADMIN, False)


def test_the_longest_wait_is_bounded_and_old_failures_are_forgotten(ledger: Ledger) -> None:
    """Nobody is locked out for ever, and guessed names do not pile up."""
    assert throttle.wait_ms(10_000) == throttle.LONGEST_WAIT_MS
    for number in range(20):
        users.login(ledger, f"guess{number}", "wrong password", 0)
    users.login(ledger, "later", "wrong password", 3 * 24 * HOUR)
    with ledger.read() as c:
        assert "guess" not in _everything(c)


def test_the_real_cost_is_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored text names its parameters, and matches only its own password, whatever the cost is now."""
    monkeypatch.setattr(passwords, "COST", REAL_COST)
    encoded = passwords.encode(PASSWORD)

    assert encoded.startswith("scrypt$16384$8$5$")
    monkeypatch.setattr(passwords, "COST", passwords.Cost(16, 1, 1))
    assert passwords.matches(PASSWORD, encoded)
    assert not passwords.matches(PASSWORD + ".", encoded)


def test_the_audit_log_tells_who_did_what(ledger: Ledger) -> None:
    """Newest first, with texts that a database would choke on made storable."""
    with ledger.write() as c:
        audit.append(c, who="lan", role="admin", action="user.add", subject="minh", now_ms=1)
        audit.append(
            c, who="l\0n", role="admin", action="user.remove", subject="\ud800", now_ms=2, detail="x"
        )
    with ledger.read() as c:
        found = [(change.at_ms, change.who, change.action, change.subject) for change in audit.latest(c)]
        assert len(audit.latest(c, 1)) == 1

    assert found == [(2, "l\ufffdn", "user.remove", "?"), (1, "lan", "user.add", "minh")]


def test_a_removed_user_takes_the_api_tokens_along(ledger: Ledger) -> None:
    """Whoever may no longer log in may not come in by a token either; nobody else's token goes."""
    _add(ledger)
    _add(ledger, "a_b", Role.VIEWER)
    with ledger.write() as c:
        own = users.create_api_token(c, "a_b/báo cáo", Role.VIEWER, 1)
        other = users.create_api_token(c, "axb/báo cáo", Role.VIEWER, 1)
        users.remove(c, "a_b")

    with ledger.read() as c:
        assert users.api_token(c, own, 2) is None
        assert users.api_token(c, other, 2) is not None
