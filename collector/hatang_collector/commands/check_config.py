"""Check the settings without starting anything.

Examples:
  hatang-collector check-config --config /etc/hatang/collector.toml
"""

from __future__ import annotations

import argparse
import json

from hatang_collector.broker.addresses import told_host
from hatang_collector.config import BrokerMode, config_path, load_settings
from hatang_collector.enrol_lines import enrol_url, served_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--json", action="store_true", help="print where things are as JSON")


def run(args: argparse.Namespace) -> int:
    """Load the settings; an error names file, line, cause and next step."""
    settings = load_settings(args.data, args.config)
    if args.json:
        told = {
            "url": settings.url,
            "host": settings.web.host,
            "port": settings.web.port,
            "store": str(settings.store.kind),
            "data": str(args.data),
            "enrol": enrol_url(settings),
            "names": served_names(settings),
        }
        print(json.dumps(told))
    else:
        path = config_path(args.data, args.config)
        print(f"{path}: ok" if path.is_file() else f"{path}: not there, every setting has its default")
        print(f"pages at {settings.url}")
        if settings.broker.mode is BrokerMode.EMBEDDED:
            host = told_host(settings.broker.host, settings.broker.names)
            print(f"agents connect to {host}, port {settings.broker.port}")
        print(f"machines enrol at {enrol_url(settings)}")
        print(f"the certificate for agents holds {', '.join(served_names(settings))}")
    return 0
