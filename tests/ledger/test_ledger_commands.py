"""`hatang-collector users` and `tokens`, through the program's own entry point."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatang_collector.__main__ import main
from hatang_collector.broker.certificates import fingerprint
from hatang_collector.ledger import audit, passwords, tokens, users
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.tokens import EnrolToken

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs one command on a data folder of this test: (exit code, output, errors)."""
    monkeypatch.setattr(passwords, "COST", passwords.Cost(16, 1, 1))

    def run(name: str, *rest: str) -> tuple[int, str, str]:
        code = main([name, "--data", str(tmp_path), *rest])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def _json(command: Command, name: str, *rest: str) -> Any:
    code, out, err = command(name, "--json", *rest)
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.fixture
def book(tmp_path: Path, command: Command) -> Ledger:
    """The ledger the commands use."""
    command("users", "list")
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def test_a_user_is_added_with_a_password_shown_once(command: Command, book: Ledger) -> None:
    """It lets the user in, has to be changed, and is in no other output and no log of acts."""
    added = _json(command, "users", "add", "Lan", "--role", "admin")
    with book.read() as c:
        user = users.verify(c, "lan", added["password"])
        (act,) = audit.latest(c)
    book.close()
    listed = command("users", "list")[1]

    assert user == users.User("lan", users.Role.ADMIN, must_change=True)
    assert (act.action, act.subject, act.detail) == ("user.add", "lan", "admin")
    assert added["password"] not in listed
    assert added["password"] not in str(act)
    assert listed.split()[:2] == ["lan", "admin"]


def test_a_reset_gives_another_password(command: Command, book: Ledger) -> None:
    """The old one no longer works."""
    first = _json(command, "users", "add", "lan", "--role", "admin")["password"]
    code, out, _ = command("users", "reset", "lan")
    (second,) = [line.strip() for line in out.splitlines() if line.startswith("  ")]
    with book.read() as c:
        assert users.verify(c, "lan", first) is None
        assert users.verify(c, "lan", second) is not None
    book.close()
    assert code == 0


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (("add", "lan", "--role", "viewer"), "users: this user name is taken"),
        (("add", "Lan Anh", "--role", "viewer"), "users: a user name has"),
        (("remove", "lan"), "users: this is the last admin"),
        (("remove", "ghost"), "users: there is no such user"),
        (("reset", "ghost"), "users: there is no such user"),
    ],
)
def test_a_refusal_is_one_line(command: Command, book: Ledger, rest: tuple[str, ...], told: str) -> None:
    """Cause and next step on standard error, exit code 1, nothing in the log of acts."""
    command("users", "add", "lan", "--role", "admin")
    code, out, err = command("users", *rest)
    with book.read() as c:
        acts = audit.latest(c)
    book.close()

    assert (code, out, len(acts)) == (1, "", 1)
    assert told in err
    assert err.count("\n") == 1


def test_a_removed_user_is_gone(command: Command, book: Ledger) -> None:
    """As long as another admin is left."""
    for name in ("lan", "minh"):
        command("users", "add", name, "--role", "admin")
    code, out, _ = command("users", "remove", "lan")
    book.close()

    assert (code, out) == (0, "lan may no longer log in\n")
    assert [row["name"] for row in _json(command, "users", "list")] == ["minh"]


def test_a_token_is_made_with_the_line_to_run(command: Command, book: Ledger, tmp_path: Path) -> None:
    """What is printed can be typed on the machine as it is, and the token works."""
    code, out, _ = command("tokens", "create", "--role", "probe", "--uses", "2", "--days", "3")
    (line,) = [line.strip() for line in out.splitlines() if "hatang-agent enroll" in line]
    token = line.rpartition(" ")[2]
    with book.write() as c:
        found = tokens.claim(c, token, tokens.every(c)[0].created_ms + 1)
        (act,) = audit.latest(c)
    book.close()

    assert code == 0
    pin = fingerprint((tmp_path / "keys" / "ca.pem").read_text(encoding="ascii"))[:32]
    assert line == f"hatang-agent enroll --url https://127.0.0.1:8443 --pin {pin} --token {token}"
    assert isinstance(found, EnrolToken)
    assert (found.role, found.uses, found.expires_ms - found.created_ms) == ("probe", 2, 3 * 86_400_000)
    assert (act.action, act.subject) == ("token.create", found.id)
    assert token not in str(act)


def test_tokens_are_listed_and_revoked(command: Command, book: Ledger) -> None:
    """By the part before the hyphen, or by the whole text; an unknown one is told."""
    made = _json(command, "tokens", "create", "--note", "tầng 2")
    assert command("tokens", "list")[1].split()[:3] == [made["id"], "pc", "0/1"]
    assert _json(command, "tokens", "revoke", made["token"])["id"] == made["id"]
    (row,) = _json(command, "tokens", "list")
    code, _, err = command("tokens", "revoke", "nothing")
    book.close()

    assert (row["state"], row["note"]) == ("revoked", "tầng 2")
    assert made["token"].partition("-")[2] not in str(row)
    assert (code, err.count("\n")) == (1, 1)
    assert "there is no token nothing" in err


@pytest.mark.parametrize("rest", [("--uses", "0"), ("--days", "-1"), ("--uses", "x"), ("--role", "admin")])
def test_wrong_options_are_refused(command: Command, rest: tuple[str, ...], capsys: Any) -> None:
    """Exit code 2, nothing made."""
    with pytest.raises(SystemExit) as caught:
        command("tokens", "create", *rest)
    capsys.readouterr()

    assert caught.value.code == 2
