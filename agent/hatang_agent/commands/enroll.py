"""Give this machine an identity at a collector.

The token comes from the collector's administrator. The label and the asset code are how people find
the machine; both can be changed later at the collector.

Examples:
  hatang-agent enroll --url https://hub.example.vn:8443 --token TOKEN --label "Kế toán 2"
  hatang-agent enroll --url https://10.0.0.5:8443 --ca authority.pem --token TOKEN --asset-code TS-0142
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hatang_agent import config, registry
from hatang_agent.commands import CommandFailed
from hatang_agent.enrolment import EnrolmentError, checked_url, enrol, request
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
        with StateLock(folder):
            _refuse_second_identity(folder, args.again)
            wanted = request(
                system,
                args.token,
                args.label or settings.agent.label,
                args.asset_code or settings.agent.asset_code,
            )
            reply, credential = enrol(url, wanted, args.ca)
            save_credential(folder, credential)
    except (IdentityError, EnrolmentError) as error:
        raise CommandFailed(str(error)) from error
    known = ", recognised by its hardware" if reply.recovered else ""
    print(
        f"enrolled as {reply.agent} ({reply.role}){known}; identity in {folder}; start it: hatang-agent run"
    )
    return 0


def _refuse_second_identity(folder: Path, again: bool) -> None:
    if again:
        return
    present = load_credential(folder)
    if present is not None:
        raise CommandFailed(
            f"{folder}: already enrolled as {present.agent} at {present.url or 'a collector'}; "
            "add --again for a new identity (the outbox is kept)"
        )
