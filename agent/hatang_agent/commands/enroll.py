"""Give this machine an identity at a collector.

The line with address, pin and token comes from the collector's administrator. The pin is how this
machine knows the collector before it tells it anything. The label and the asset code are how people
find the machine, the staff group is whom it serves; all can be changed later at the collector. On a
terminal the label is asked for when neither is given.

Examples:
  hatang-agent enroll --url https://10.0.0.5:8443 --pin PIN --token TOKEN --label "Kế toán 2"
  hatang-agent enroll --url https://10.0.0.5:8443 --pin PIN --token TOKEN --staff-group cbcc
  hatang-agent enroll --url https://hub.example.vn --ca authority.pem --token TOKEN --asset-code TS-0142
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hatang_agent import config, registry
from hatang_agent.commands import CommandFailed
from hatang_agent.enrolment import EnrolmentError, checked_pin, checked_url, enrol, request
from hatang_agent.identity import IdentityError, StateLock, load_credential, save_credential
from hatang_agent.system import LocalSystem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``enroll``."""
    parser.add_argument("address", nargs="?", metavar="URL", help="address of the collector")
    parser.add_argument("--url", metavar="URL", help="the same as an option")
    parser.add_argument("--token", required=True, metavar="TOKEN", help="enrolment token")
    parser.add_argument("--label", default="", help="name by which people find this machine")
    parser.add_argument("--asset-code", default="", help="code in the register of assets")
    parser.add_argument(
        "--staff-group", default="", metavar="CODE", help="group of staff it serves, e.g. cbcc"
    )
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument(
        "--pin",
        metavar="HEX",
        help="of the collector's authority: 32 or more digits of its SHA-256",
    )
    trust.add_argument(
        "--ca", type=Path, metavar="FILE", help="authority of the collector's certificate (PEM)"
    )
    parser.add_argument("--again", action="store_true", help="take a new identity; the outbox is kept")


def run(args: argparse.Namespace) -> int:
    """Enrol and write the credential."""
    system = LocalSystem()
    settings = config.load_file(args.config, system, registry.probes())
    folder = config.state_dir(settings, system, args.state)
    url = args.url or args.address
    if not url:
        raise CommandFailed("the address of the collector is missing; add --url https://host:port", 2)
    try:
        url = checked_url(url)
        pin = "" if args.pin is None else checked_pin(args.pin)
        with StateLock(folder):
            _refuse_second_identity(folder, args.again)
            asset_code = args.asset_code or settings.agent.asset_code
            wanted = request(
                system,
                args.token,
                args.label or settings.agent.label or ("" if asset_code else _asked_label()),
                asset_code,
                args.staff_group,
            )
            reply, credential = enrol(url, wanted, args.ca, pin)
            save_credential(folder, credential)
    except (IdentityError, EnrolmentError) as error:
        raise CommandFailed(str(error)) from error
    known = ", recognised by its hardware" if reply.recovered else ""
    print(
        f"enrolled as {reply.agent} ({reply.role}){known}; identity in {folder}; start it: hatang-agent run"
    )
    return 0


def _asked_label() -> str:
    """The name on the sticker, from whoever sits there; nothing is asked where nobody can answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    print("Tên máy (ghi trên nhãn, để trống nếu chưa có) / name of this machine: ", end="", file=sys.stderr)
    return sys.stdin.readline().strip()


def _refuse_second_identity(folder: Path, again: bool) -> None:
    if again:
        return
    present = load_credential(folder)
    if present is not None:
        raise CommandFailed(
            f"{folder}: already enrolled as {present.agent} at {present.url or 'a collector'}; "
            "add --again for a new identity (the outbox is kept)"
        )
