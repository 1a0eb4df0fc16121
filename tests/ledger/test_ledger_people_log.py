"""Accounts as an administrator sees them, and the log's lists, on every database."""

from __future__ import annotations

from hatang_collector.ledger import accounts, audit, users
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.sessions import IDLE_MS, TOUCH_MS
from hatang_collector.ledger.users import Role, User

PASSWORD = "một mật khẩu dài"
T0 = 1_795_137_960_000


def add(ledger: Ledger, name: str, role: Role = Role.VIEWER) -> None:
    """A user of a moment."""
    with ledger.write() as c:
        users.create(c, name, role, PASSWORD, must_change=False, now_ms=T0)


def used_ms(ledger: Ledger, name: str) -> int | None:
    """When somebody was last here."""
    with ledger.read() as c:
        return next(one.used_ms for one in accounts.every(c) if one.user.name == name)


def test_last_use_is_noted_and_outlives_the_session(ledger: Ledger) -> None:
    """Opening a session and using it count; a dead session does not; a reset forgets nothing."""
    add(ledger, "lan")
    add(ledger, "minh", Role.ADMIN)
    with ledger.read() as c:
        assert accounts.every(c) == [
            accounts.Account(User("lan", Role.VIEWER), T0, None),
            accounts.Account(User("minh", Role.ADMIN), T0, None),
        ]
    with ledger.write() as c:
        text = users.open_session(c, "lan", T0 + 1)
    assert used_ms(ledger, "lan") == T0 + 1
    with ledger.write() as c:
        users.touch_session(c, text, T0 + 2)
    assert used_ms(ledger, "lan") == T0 + 1
    with ledger.write() as c:
        users.session(c, text, T0 + 1 + TOUCH_MS)
    assert used_ms(ledger, "lan") == T0 + 1 + TOUCH_MS
    with ledger.write() as c:
        users.touch_session(c, text, T0 + 2 * IDLE_MS)
        users.close_session(c, text)
        users.set_password(c, "lan", PASSWORD)
    assert used_ms(ledger, "lan") == T0 + 1 + TOUCH_MS
    assert used_ms(ledger, "minh") is None


def test_a_lesser_role_takes_stronger_api_tokens_away(ledger: Ledger) -> None:
    """Of one's own tokens those that may do more go; weaker ones and those of others stay."""
    for name in ("lan", "lan2"):
        add(ledger, name, Role.ADMIN)
    with ledger.write() as c:
        for owner in ("lan", "lan2"):
            for role in Role:
                users.create_api_token(c, f"{owner}/{role}", role, T0)
        users.change_role(c, "lan", Role.INSPECTOR)
    with ledger.read() as c:
        left = {one.name for one in users.api_tokens(c)}
    assert left == {"lan/viewer", "lan/inspector", "lan2/viewer", "lan2/inspector", "lan2/admin"}


def note(ledger: Ledger, who: str, action: str, subject: str, at_ms: int) -> None:
    """One act."""
    with ledger.write() as c:
        audit.append(c, who=who, role="admin", action=action, subject=subject, now_ms=at_ms)


def test_the_log_by_time_and_its_lists(ledger: Ledger) -> None:
    """A span takes its first moment and not its end; people and acts stand once; the newest act counts."""
    for at, (who, action, subject) in enumerate(
        [("lan", "a.b", "x"), ("minh", "a.b", "x"), ("minh", "a.c", "y"), ("lan", "a.b", "y")]
    ):
        note(ledger, who, action, subject, T0 + at)
    with ledger.read() as c:
        found = audit.search(c, from_ms=T0 + 1, to_ms=T0 + 3)
        assert [one.at_ms - T0 for one in found] == [2, 1]
        assert audit.search(c, from_ms=T0 + 4) == []
        assert (audit.people(c), audit.actions(c)) == (["lan", "minh"], ["a.b", "a.c"])
        by = audit.of_subjects(c, "a.b", ["x", "y", "z", "x"])
        assert {subject: one.who for subject, one in by.items()} == {"x": "minh", "y": "lan"}
        assert audit.of_subjects(c, "a.b", []) == {}
