"""Measure, keep and send until stopped: the resident agent.

Needs an identity (hatang-agent enroll). Ends within 5 s of SIGTERM, SIGINT or SIGHUP with exit code
0; what was not sent yet stays in the outbox and is sent after the next start.

Examples:
  hatang-agent run
  hatang-agent run --config /etc/hatang/agent.toml --state /var/lib/hatang-agent
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import signal
import sys
import threading
import urllib
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import TYPE_CHECKING

from hatang_agent import config, registry
from hatang_agent.commands import CommandFailed
from hatang_agent.identity import IdentityError, StateLock, load_credential
from hatang_agent.system import LocalSystem
from hatang_agent.wire.messages import Farewell

if TYPE_CHECKING:
    from hatang_agent.app import App

# The default of 8 MB of address space a thread alarms people who read process lists.
_STACK_BYTES = 256 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Run the agent in the foreground."""
    with without_http():
        from hatang_agent.app import App
    system = LocalSystem()
    probes = registry.probes()
    settings = config.load_file(args.config, system, probes)
    logging.getLogger().setLevel(settings.agent.log_level.upper())
    folder = config.state_dir(settings, system, args.state)
    threading.stack_size(_STACK_BYTES)
    try:
        with StateLock(folder):
            credential = load_credential(folder)
            if credential is None:
                raise CommandFailed(
                    f"{folder}: not enrolled yet; run hatang-agent enroll --url URL --token TOKEN",
                    2,
                )
            app = App(system, folder, credential, settings, probes)
            _end_on_signals(app)
            # What is loaded by now stays for good: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            return app.run()
    except IdentityError as error:
        raise CommandFailed(str(error), 2) from error


@contextlib.contextmanager
def without_http() -> Iterator[None]:
    """Keep paho from loading an HTTP client and a mail parser, 2 MB for the life of the agent.

    It imports ``urllib.request`` only to look for a proxy, which an agent never uses.
    """
    name = "urllib.request"
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.proxy_bypass = lambda _host: True  # type: ignore[attr-defined]
    sys.modules[name] = urllib.request = stand_in  # type: ignore[assignment,attr-defined,unused-ignore]
    try:
        yield
    finally:
        del sys.modules[name]


def _end_on_signals(app: App) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        app.stop(Farewell.STOP)

    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, end)
