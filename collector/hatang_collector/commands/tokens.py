"""Make, list and revoke enrolment tokens: the right of a machine to become one of ours.

A token is for one role, a number of machines and a number of days; it may say where they stand and
whom they serve. It is shown once.

Examples:
  hatang-collector tokens create --role pc --uses 30 --days 14 --note "UBND xã, tầng 2"
  hatang-collector tokens create --role probe --unit 19282 --site tru-so
  hatang-collector tokens list
  hatang-collector tokens revoke k7m2pq
"""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from hatang_collector import clock
from hatang_collector.app import open_ledger
from hatang_collector.broker.enrol import EnrolRefused, staff_group_of
from hatang_collector.config import load_settings
from hatang_collector.domain.estate import Estate
from hatang_collector.enrol_lines import EnrolOffer, lines_to_run, offer_of
from hatang_collector.ledger import audit, estate, tokens
from hatang_collector.ledger.engine import Connection
from hatang_collector.ledger.errors import LedgerError
from hatang_collector.ledger.tokens import EnrolToken

DAY_MS: Final = 24 * 3_600_000
MAX_USES: Final = 100_000
MAX_DAYS: Final = 3_650
_LOCAL: Final = timezone(timedelta(hours=7))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``tokens``."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACTION")
    creating = acts.add_parser(
        "create", help="a new token; prints it once, with the line to run on the machine"
    )
    creating.add_argument(
        "--role", choices=["pc", "probe"], default="pc", help="role of the machines (default: pc)"
    )
    creating.add_argument(
        "--uses", type=_between(1, MAX_USES), default=1, help="machines it is good for (default: 1)"
    )
    creating.add_argument(
        "--days", type=_between(1, MAX_DAYS), default=7, help="days it is good for (default: 7)"
    )
    creating.add_argument("--unit", default="", metavar="CODE", help="unit of the machines")
    creating.add_argument("--site", default="", metavar="CODE", help="site where they stand")
    creating.add_argument(
        "--staff-group", default="", metavar="CODE", help="group they serve, unless the machine says another"
    )
    creating.add_argument("--note", default="", help="what it is for")
    acts.add_parser("list", help="every token, without its secret")
    revoking = acts.add_parser("revoke", help="no machine may use it any more; those enrolled stay")
    revoking.add_argument("id", metavar="ID", help="the part before the hyphen")


def run(args: argparse.Namespace) -> int:
    """Do it and note it in the audit log. Raises ledger errors: one line each."""
    now_ms = clock.now_ms()
    with closing(open_ledger(args)) as ledger:
        if args.act == "list":
            with ledger.read() as c:
                _show_list(tokens.every(c), now_ms, as_json=args.json)
            return 0
        if args.act == "create":
            offer = offer_of(load_settings(args.data, args.config), args.data, now_ms)
            with ledger.write() as c:
                told = _create(c, args, offer, now_ms)
        else:
            with ledger.write() as c:
                told = _revoke(c, args.id, now_ms)
    print(json.dumps(told, ensure_ascii=False) if args.json else told["text"])
    return 0


def _create(c: Connection, args: argparse.Namespace, offer: EnrolOffer, now_ms: int) -> dict[str, Any]:
    expires_ms = now_ms + args.days * DAY_MS
    place = _place(estate.load(c), args.unit, args.site, args.staff_group)
    token = tokens.create(
        c, role=args.role, uses=args.uses, expires_ms=expires_ms, now_ms=now_ms, note=args.note, **place
    )
    public = token.partition("-")[0]
    told_place = ", ".join(f"{name} {code}" for name, code in place.items() if code)
    detail = ", ".join(filter(None, [args.role, f"{args.uses} uses", f"{args.days} days", told_place]))
    audit.append(
        c,
        who=audit.COMMAND_LINE,
        role="",
        action="token.create",
        subject=public,
        now_ms=now_ms,
        detail=detail,
    )
    lines = lines_to_run(offer.url, token, offer.pin, args.role)
    for_what = f"{args.role}, {told_place}" if told_place else args.role
    windows = f"on Windows, as administrator:\n\n  {lines['windows']}\n\n" if lines["windows"] else ""
    text = (
        f"token for {args.uses} {'machine' if args.uses == 1 else 'machines'} ({for_what}), "
        f"until {_local(expires_ms)}:\n\n  {token}\n\nrun on the machine, as root:\n\n  {lines['linux']}\n\n"
        f"{windows}It is not kept and cannot be shown again."
    )
    return {
        "id": public,
        "token": token,
        "enroll": lines["linux"],
        "lines": lines,
        "url": offer.url,
        "pin": offer.pin,
        "expires_ms": expires_ms,
        "text": text,
    }


def _place(known: Estate, unit: str, site: str, staff_group: str) -> dict[str, str]:
    """Where machines are placed, as columns of a token. Raises LedgerError for a code that is unknown."""
    if unit and all(one.code != unit for one in known.units):
        raise LedgerError(f"there is no unit {unit}; add it on the page /units or with an import")
    if site and all(one.code != site for one in known.sites):
        raise LedgerError(f"there is no site {site}; add it on the page /offices/new or with an import")
    try:
        group = staff_group_of(staff_group, known.staff_groups)
    except EnrolRefused as refused:
        raise LedgerError(refused.hint) from refused
    return {"unit": unit, "site": site, "staff_group": group}


def _revoke(c: Connection, public: str, now_ms: int) -> dict[str, Any]:
    revoked = tokens.revoke(c, public.partition("-")[0], now_ms)
    if revoked is None:
        raise LedgerError(f"there is no token {public}; see 'hatang-collector tokens list'")
    audit.append(c, who=audit.COMMAND_LINE, role="", action="token.revoke", subject=revoked.id, now_ms=now_ms)
    text = f"token {revoked.id} is revoked; it was used {revoked.used} times"
    return {"id": revoked.id, "used": revoked.used, "text": text}


def _show_list(found: list[EnrolToken], now_ms: int, *, as_json: bool) -> None:
    if as_json:
        rows = [{**asdict(one), "state": str(one.refusal(now_ms) or "usable")} for one in found]
        print(json.dumps(rows, ensure_ascii=False))
        return
    for one in found:
        state = one.refusal(now_ms) or "usable"
        used = f"{one.used}/{one.uses}"
        place = " ".join(filter(None, [one.unit, one.site, one.staff_group])) or "-"
        until = _local(one.expires_ms)
        row = f"{one.id}  {one.role:<6} {used:<8} until {until}  {state:<8}  {place}  {one.note}"
        print(row.rstrip())
    if not found:
        print("no tokens yet; make one: hatang-collector tokens create")


def _local(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_LOCAL).strftime("%d/%m/%Y %H:%M")


def _between(low: int, high: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return number
