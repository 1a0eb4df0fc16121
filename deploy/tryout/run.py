"""Starts a collector with everything embedded and an agent for this machine; Ctrl-C stops both.

``make run`` calls this. Data stay in ``./data`` (or ``$HATANG_DATA``); a second start goes on with
the same data and the same identity. The agent is enrolled as any other: with a token, over HTTP.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

BIN = Path(sys.executable).parent
DATA = Path(os.environ.get("HATANG_DATA", "data")).resolve()
CONFIG = DATA / "collector.toml"
STATE = DATA / "agent"
AGENT_CONFIG = DATA / "agent.toml"
LIVELY = """\
# Made by the try-out so that the page moves while you look. Office computers keep the defaults:
# a sample each minute, a report every five.
[schedule]
sample_s = 5
[reporting]
report_s = 5
"""
READY_S = 30
STOP_S = 15


class Stopped(Exception):  # noqa: N818 - a wish, not an error
    """Ctrl-C or a termination signal."""


class Wish:
    """Whether somebody wants us to stop. Looked at between steps, so that no start is cut in half."""

    def __init__(self) -> None:
        self._stop = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self._stop = True

    def obey(self) -> None:
        """Raise Stopped if one came."""
        if self._stop:
            raise Stopped


WISH = Wish()


def say(text: str) -> None:
    """One line for the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def start(*argv: str) -> subprocess.Popen[bytes]:
    """A child that does not get the terminal's Ctrl-C itself: we stop children in order."""
    return subprocess.Popen([str(BIN / argv[0]), *argv[1:]], stdin=subprocess.DEVNULL, start_new_session=True)


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ask a child to end and wait for it; kill it when it does not."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            say(f"{Path(str(child.args[0])).name} did not stop within {STOP_S} s and is killed")  # type: ignore[index]
            child.kill()
    child.wait()


def collector(*argv: str) -> str:
    """Output of one collector command."""
    done = subprocess.run(
        [str(BIN / "hatang-collector"), *argv, "--data", str(DATA)],
        capture_output=True,
        text=True,
        check=False,
    )
    WISH.obey()
    if done.returncode:
        raise SystemExit(done.stderr.strip() or f"hatang-collector {argv[0]}: exit code {done.returncode}")
    return done.stdout


def refuse_taken(host: str, port: int) -> None:
    """End with one line when somebody has the port of the pages, before their answer is taken for ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SystemExit(
                f"port {port} on {host} cannot be used: {error.strerror}; is another one running? "
                "Else choose a free one: HATANG_WEB_PORT=8081 make run"
            ) from error


def wait_ready(child: subprocess.Popen[bytes], url: str) -> None:
    """Until the collector answers; it has said by itself why it ended, when it did."""
    for _ in range(READY_S * 10):
        WISH.obey()
        if child.poll() is not None:
            raise SystemExit(child.returncode or 1)
        try:
            with urllib.request.urlopen(f"{url}/api/v1/health", timeout=2):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"the collector did not answer at {url} within {READY_S} s; see the messages above")


def enrol(url: str) -> None:
    """Give this machine an identity over the real path, once."""
    if (STATE / "credential.json").exists():
        return
    token = json.loads(collector("tokens", "create", "--role", "pc", "--uses", "1", "--days", "1", "--json"))[
        "token"
    ]
    argv = [str(BIN / "hatang-agent"), "enroll", "--state", str(STATE), "--url", url, "--token", token]
    done = subprocess.run([*argv, "--label", "Máy này"], capture_output=True, text=True, check=False)
    WISH.obey()
    if done.returncode:
        raise SystemExit(done.stderr.strip())


def watch(children: list[subprocess.Popen[bytes]]) -> int:
    """Until a child ends by itself; its exit code."""
    ended: list[int] = []
    something = threading.Event()

    def wait(child: subprocess.Popen[bytes]) -> None:
        ended.append(child.wait())
        something.set()

    for child in children:
        threading.Thread(target=wait, args=(child,), daemon=True).start()
    while not something.wait(0.2):
        WISH.obey()
    return ended[0]


def main() -> int:
    """Run until Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, WISH.note)
    DATA.mkdir(parents=True, exist_ok=True, mode=0o711)
    children: list[subprocess.Popen[bytes]] = []
    try:
        told = json.loads(collector("check-config", "--json"))
        url = told["url"]
        refuse_taken(told["host"], told["port"])
        children.append(start("hatang-collector", "serve", "--data", str(DATA)))
        wait_ready(children[0], url)
        enrol(url)
        if not AGENT_CONFIG.exists():
            AGENT_CONFIG.write_text(LIVELY, encoding="utf-8")
        children.append(start("hatang-agent", "run", "--config", str(AGENT_CONFIG), "--state", str(STATE)))
        say(f"\n  Bảng theo dõi / board:  {url}\n  Dữ liệu / data:         {DATA}")
        say("  Ctrl-C dừng tất cả / stops everything\n")
        code = watch(children)
        say("a part has ended by itself; stopping the rest")
        return code or 1
    except Stopped:
        say("\nđang dừng / stopping …")
        return 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(children):
            stop(child)


if __name__ == "__main__":
    sys.exit(main())
