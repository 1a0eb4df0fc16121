"""List, add and remove the people who may log in, or give one a new password.

A new password is random, shown once, and has to be changed at the first login. Roles: viewer looks,
inspector declares, admin changes anything.

Examples:
  hatang-collector users list
  hatang-collector users add lan --role inspector
  hatang-collector users reset lan
  hatang-collector users remove lan
"""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from typing import Any, Final

from hatang_collector import clock
from hatang_collector.app import open_ledger
from hatang_collector.ledger import audit, secrets, users
from hatang_collector.ledger.engine import Connection
from hatang_collector.ledger.users import Role

_PASSWORD_LETTERS: Final = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``users``."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACTION")
    acts.add_parser("list", help="who may log in")
    adding = acts.add_parser("add", help="a new user; prints the first password once")
    adding.add_argument("name", metavar="NAME", help="name to log in with: a-z 0-9 . _ @ -")
    adding.add_argument(
        "--role", choices=[str(role) for role in Role], required=True, help="what the user may do"
    )
    for act, text in (
        ("reset", "a new password, printed once"),
        ("remove", "the user may no longer log in"),
    ):
        changing = acts.add_parser(act, help=text)
        changing.add_argument("name", metavar="NAME", help="name of the user")


def run(args: argparse.Namespace) -> int:
    """Do it and note it in the audit log. Raises ledger errors: one line each."""
    with closing(open_ledger(args)) as ledger:
        if args.act == "list":
            with ledger.read() as c:
                _show_list(users.every(c), as_json=args.json)
            return 0
        with ledger.write() as c:
            told = _change(c, args, clock.now_ms())
    print(json.dumps(told, ensure_ascii=False) if args.json else _sentence(args.act, told))
    return 0


def _change(c: Connection, args: argparse.Namespace, now_ms: int) -> dict[str, Any]:
    name = args.name.strip().lower()
    told: dict[str, Any] = {"name": name}
    password = secrets.text(_PASSWORD_LETTERS)
    detail = ""
    if args.act == "add":
        users.create(c, name, args.role, password, must_change=True, now_ms=now_ms)
        told |= {"role": args.role, "password": password}
        detail = args.role
    elif args.act == "reset":
        users.set_password(c, name, password, must_change=True)
        told["password"] = password
    else:
        users.remove(c, name)
    action = {"add": "user.add", "reset": "user.reset", "remove": "user.remove"}[args.act]
    audit.append(
        c, who=audit.COMMAND_LINE, role="", action=action, subject=name, now_ms=now_ms, detail=detail
    )
    return told


def _sentence(act: str, told: dict[str, Any]) -> str:
    if act == "remove":
        return f"{told['name']} may no longer log in"
    return (
        f"{told['name']} logs in with this password, which then has to be changed:\n\n"
        f"  {told['password']}\n\n"
        "It is not kept and cannot be shown again."
    )


def _show_list(found: list[users.User], *, as_json: bool) -> None:
    if as_json:
        rows = [{"name": one.name, "role": str(one.role), "must_change": one.must_change} for one in found]
        print(json.dumps(rows, ensure_ascii=False))
        return
    for one in found:
        note = "has to change the password" if one.must_change else ""
        print(f"{one.name:<24} {one.role:<10} {note}".rstrip())
    if not found:
        print("no users yet; add one: hatang-collector users add NAME --role admin")
