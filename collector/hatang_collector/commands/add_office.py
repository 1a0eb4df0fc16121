r"""Add an office: its unit, site, links and tokens, and then watch its machines arrive.

On a terminal it asks, with what is usual in brackets; an empty answer takes that. Nothing is written
before the last yes, so Ctrl-C is always safe. In a script give everything as options, and --yes.

Examples:
  hatang-collector add-office
  hatang-collector add-office --unit 20161 --link cpnet,VNPT,20,20 --link ftth,Viettel,150,150 \
      --pcs cbcc=12 --pcs chung=2 --yes --json
  hatang-collector add-office --new-unit "UBND xã Khe Tre" --code 20161 --parent 46 --watch
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any, Final

from hatang_collector import clock
from hatang_collector.app import open_ledger
from hatang_collector.config import load_settings
from hatang_collector.domain.checks import EstateRefused
from hatang_collector.domain.dated import on
from hatang_collector.domain.estate import Estate
from hatang_collector.domain.hours import ORDINARY
from hatang_collector.domain.localtime import day_of
from hatang_collector.domain.tree import Tree
from hatang_collector.enrol_lines import EnrolOffer, offer_of
from hatang_collector.failures import Failure
from hatang_collector.ledger import audit, placements
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.engine import Ledger
from hatang_collector.offices import add, form, gather
from hatang_collector.offices.add import OfficeAdded, OfficeRefused
from hatang_collector.offices.arrivals import Arrivals, news
from hatang_collector.offices.asking import Questions, Terminal
from hatang_collector.offices.faults import Faults
from hatang_collector.offices.lines import lines_by_group
from hatang_collector.offices.request import MAX_LINKS, NewLink, OfficeRequest
from hatang_collector.web.format import date_time
from hatang_collector.web.i18n import LANGUAGES, Texts, texts

POLL_S: Final = 2.0
_OPTIONS: Final = {"unit": "unit", "new_unit": "unit_name", "code": "unit_code", "parent": "unit_parent"} | {
    name: name for name in ("site_name", "address", "hours", "days")
}
_WORDS: Final = {
    "vi": {
        "write": "Ghi vào sổ",
        "cancelled": "chưa ghi gì cả",
        "watching": "Đang chờ máy tới; Ctrl-C để thôi xem, máy vẫn ghi danh được.",
    },
    "en": {
        "write": "Write it",
        "cancelled": "nothing was written",
        "watching": "Waiting for machines; Ctrl-C ends the watching, machines can still enrol.",
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``add-office``."""
    parser.add_argument("--unit", metavar="UNIT", help="a unit that is known: code, name or part of a name")
    parser.add_argument("--new-unit", metavar="NAME", help="a new unit of this name")
    parser.add_argument("--code", help="code of the new unit (default: made from its name)")
    parser.add_argument("--parent", metavar="UNIT", help="unit above the new one (default: none)")
    parser.add_argument("--site-name", metavar="NAME", help="name of the site (default: that of the unit)")
    parser.add_argument("--address", metavar="TEXT", help="address of the site")
    parser.add_argument("--hours", metavar="WEEK", help=f"working hours (default: {ORDINARY})")
    parser.add_argument(
        "--link",
        action="append",
        metavar="KIND,PROVIDER,DOWN,UP",
        help=f"a link, up to {MAX_LINKS} of them; rates in Mbit/s; add ,metered or ,secondary",
    )
    parser.add_argument("--pcs", action="append", metavar="GROUP=N", help="PCs expected of a staff group")
    parser.add_argument(
        "--probe", action=argparse.BooleanOptionalAction, help="whether there is a site probe (default: yes)"
    )
    parser.add_argument("--days", metavar="N", help="days the tokens are good for (default: 14)")
    parser.add_argument("--yes", action="store_true", help="ask nothing, write at once")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--watch", action="store_true", help="show arrivals until everybody is here")
    parser.add_argument("--language", choices=LANGUAGES, default="vi", help="language of the questions")


def run(args: argparse.Namespace) -> int:
    """Ask, write, show. Raises Failure, ledger errors: one line each."""
    t = texts(args.language)
    words = _WORDS[args.language]
    offer = offer_of(load_settings(args.data, args.config), args.data, clock.now_ms())
    with closing(open_ledger(args)) as ledger:
        with ledger.read() as c:
            estate = estates.load(c)
        try:
            request = _request(args, estate, t, words)
        except EOFError as error:
            raise Failure(words["cancelled"]) from error
        if request is None:
            print(words["cancelled"], file=sys.stderr)
            return 1
        try:
            added = add.add(ledger, request, who=audit.COMMAND_LINE, role="", now_ms=clock.now_ms())
        except OfficeRefused as refused:
            raise Failure(_faults(refused.faults, t)) from refused
        except EstateRefused as refused:
            raise Failure(str(refused)) from refused
        print(
            json.dumps(_as_json(added, offer), ensure_ascii=False) if args.json else _as_text(added, offer, t)
        )
        if args.watch:
            print(words["watching"], file=sys.stderr)
            sys.stdout.flush()
            _watch(ledger, added.site.code, t, as_json=args.json, pause=threading.Event().wait)
    return 0


def _request(
    args: argparse.Namespace, estate: Estate, t: Texts, words: Mapping[str, str]
) -> OfficeRequest | None:
    """The office of the options and the answers; None when the last question was answered with no."""
    given = _given(args, {group.code for group in estate.staff_groups})
    today = day_of(clock.now_ms())
    if args.yes:
        fields = {**form.defaults(estate), "unit_how": form.KNOWN, **given}
        found = form.read_office(fields, estate, today)
        if not isinstance(found, OfficeRequest):
            raise Failure(_faults(found, t))
        return found
    if not sys.stdin.isatty():
        raise Failure("there is no terminal to ask on; give the options and --yes (see --help)")
    terminal = Terminal(_ask, lambda line: print(line, file=sys.stderr), t)
    questions = Questions(terminal, estate, today, given)
    request = questions.office()
    for line in _summary(request, estate, t):
        terminal.say(line)
    return request if questions.yes(words["write"], default=False) else None


def _ask(question: str) -> str:
    """Ask on standard error, because standard output is for what comes out."""
    print(question, end="", file=sys.stderr, flush=True)
    return input()


def _given(args: argparse.Namespace, groups: Collection[str]) -> dict[str, str]:
    """The fields of the form that options answer. Raises Failure for what no field can hold."""
    given = {field: getattr(args, option) for option, field in _OPTIONS.items() if getattr(args, option)}
    if "unit_name" in given:
        given["unit_how"] = form.NEW
    elif "unit" in given:
        given["unit_how"] = form.KNOWN
    if args.probe is not None:
        given["probe"] = "on" if args.probe else ""
    for text in args.pcs or ():
        group, _, number = (part.strip() for part in text.partition("="))
        if group not in groups or not number:
            known = ", ".join(sorted(groups))
            raise Failure(f"--pcs {text}: write GROUP=N with one of the staff groups {known}")
        given[f"pcs_{group}"] = number
    if len(args.link or ()) > MAX_LINKS:
        raise Failure(f"--link is given {len(args.link)} times; an office has at most {MAX_LINKS} at once")
    for row, text in enumerate(args.link or (), start=1):
        given |= _given_link(f"link{row}", text)
    return given


def _given_link(at: str, text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.split(",")]
    flags = {part for part in parts if part in {"metered", "secondary"}}
    values = dict(zip(("kind", "provider", "down", "up"), [p for p in parts if p not in flags], strict=False))
    values |= {
        "essential": "" if "secondary" in flags else "on",
        "metered": "on" if "metered" in flags else "",
    }
    return {f"{at}_{name}": value for name, value in values.items()}


def _faults(faults: Faults, t: Texts) -> str:
    return "; ".join(f"{name}: {t(f'office.fault.{one.code}', **one.values)}" for name, one in faults.items())


def _summary(request: OfficeRequest, estate: Estate, t: Texts) -> Sequence[str]:
    names = {group.code: group.name for group in estate.staff_groups}
    unit = next((one.name for one in estate.units if one.code == request.unit), "")
    if request.new_unit is not None:
        unit = f"{request.new_unit.name} ({t('office.unit.new')})"
    return [
        "",
        f"{t('office.unit')}: {unit}, {request.unit}",
        f"{t('office.site')}: {request.site_name}"
        + (f", {request.address}" if request.address else "")
        + f"; {request.hours or ORDINARY}",
        *(_link_line(link, t) for link in request.links),
        f"{t('office.probe')}: {t('yes') if request.wanted.probe else t('no')}",
        *(f"{names.get(group, group)}: {number}" for group, number in request.wanted.machines.items()),
        "",
    ]


def _link_line(link: NewLink, t: Texts) -> str:
    rates = f"{_rate(link.down_mbps)}/{_rate(link.up_mbps)} Mbit/s"
    return f"{t(f'office.kind.{link.kind}')}: {link.provider or '?'}, {rates}"


def _rate(mbps: float | None) -> str:
    return "?" if mbps is None else form.typed_rate(mbps)


def _as_json(added: OfficeAdded, offer: EnrolOffer) -> dict[str, Any]:
    return {
        "site": added.site.code,
        "site_name": added.site.name,
        "unit": added.unit,
        "url": offer.url,
        "pin": offer.pin,
        "tokens": [
            {
                "id": one.token.partition("-")[0],
                "role": one.role,
                "token": one.token,
                "uses": one.uses,
                "expires_ms": one.expires_ms,
                "lines": [asdict(part) for part in lines_by_group(one, offer)],
            }
            for one in added.invitations
        ],
    }


def _as_text(added: OfficeAdded, offer: EnrolOffer, t: Texts) -> str:
    lines = [t("office.added", name=f"{added.site.name} ({added.site.code})")]
    for one in added.invitations:
        title = t("office.token.probe") if one.role == "probe" else t("office.token.pc", count=one.uses)
        lines += ["", f"{title}. {t('office.deadline', until=date_time(one.expires_ms))}", ""]
        for part in lines_by_group(one, offer):
            if len(one.machines) > 1:
                lines.append(f"  {part.staff_group}: {t('office.pcs.count', count=part.count)}")
            lines += [f"  {line}" for line in (part.lines["linux"], part.lines["windows"]) if line]
    lines += ["", t("office.tokens.once") if added.invitations else t("office.tokens.none")]
    return "\n".join(lines)


def _watch(
    ledger: Ledger,
    site: str,
    t: Texts,
    *,
    as_json: bool,
    pause: Callable[[float], object],
) -> None:
    """Print who comes, and the next step when it changes, until everybody is here or the tokens expired."""
    before: Arrivals | None = None
    while True:
        now = _arrivals(ledger, site)
        for member in news(before, now):
            line = f"{member.name}: {t(f'office.stage.{member.stage}')} ({now.pcs}/{now.pcs + now.missing})"
            told = {"agent": member.agent, "name": member.name, "role": member.role, "stage": member.stage}
            print(json.dumps(told, ensure_ascii=False) if as_json else line, flush=True)
        if before is None or [one.step for one in now.todo] != [one.step for one in before.todo]:
            for todo in now.todo:
                names = ", ".join(todo.names[:5])
                print("→ " + t(f"office.step.{todo.step}", count=todo.count, names=names), file=sys.stderr)
        if now.complete or now.expired:
            return
        before = now
        pause(POLL_S)


def _arrivals(ledger: Ledger, site: str) -> Arrivals:
    now_ms = clock.now_ms()
    today = day_of(now_ms)
    with ledger.read() as c:
        estate = estates.load(c)
        tree = Tree(estate.units, estate.successions)
        here = gather.agents_at(estate, tree, placements.current(c), site, today)
        links = [link for link in on(estate.links, today) if link.site == site]
        return gather.gather(c, site, here, links, [group.code for group in estate.staff_groups], now_ms)
