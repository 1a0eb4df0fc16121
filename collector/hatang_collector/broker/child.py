"""One child process, kept running: started, watched, restarted with a growing delay, stopped."""

from __future__ import annotations

import logging
import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from hatang_collector.broker import process as system
from hatang_collector.broker.contract import BrokerError
from hatang_collector.broker.private_files import Owner

log = logging.getLogger(__name__)
mosquitto_log = logging.getLogger("hatang_collector.broker.mosquitto")

READY_S: Final = 10.0
STOP_S: Final = 5.0
FIRST_DELAY_S: Final = 0.2
MAX_DELAY_S: Final = 30.0
STEADY_MS: Final = 5_000
_LAST_LINES: Final = 5
_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
# what strangers on the network can cause (bad TLS, bad packets) begins otherwise, and stays at debug
_NOTEWORTHY: Final = re.compile(r"^(error|warning)\b|being dropped|not writable", re.IGNORECASE)
_MOST_WARNINGS: Final = 100
_TIMESTAMP: Final = re.compile(r"^\d+: ")  # until it has read that it shall write none


def restart_delay_s(failures: int) -> float:
    """Delay before the next start after this many failures in a row (1 or more), doubling up to 30 s."""
    return min(FIRST_DELAY_S * 2.0 ** min(failures - 1, 16), MAX_DELAY_S)


@dataclass(frozen=True, slots=True)
class Child:
    """What to run. ``port`` is a loopback port that takes connections once it is ready."""

    argv: list[str]
    folder: Path
    port: int
    owner: Owner | None = None


class Supervisor:
    """Runs a child until stopped.

    ``prepare`` is called before each start, with True at the very first. ``repair`` is told why a
    start failed and says whether it changed something that makes another attempt worth while. Both run
    in the supervisor's thread, which also starts the child: the child ends when that thread does, so
    with the collector, however it ends.
    """

    def __init__(
        self,
        child: Child,
        *,
        prepare: Callable[[bool], None],
        repair: Callable[[str], bool],
        monotonic_ms: Callable[[], int],
    ) -> None:
        self._child = child
        self._prepare = prepare
        self._repair = repair
        self._now = monotonic_ms
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._up = threading.Event()
        self._first_error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._listener: threading.Thread | None = None
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self.restarts = 0

    @property
    def running(self) -> bool:
        """Whether the child is up and was ready."""
        return self._up.is_set()

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Return when the child is ready. Raises BrokerError, or what ``prepare`` raised."""
        self._thread = threading.Thread(target=self._supervise, name="broker-supervisor", daemon=True)
        self._thread.start()
        self._settled.wait()
        if self._first_error is not None:
            self.stop()
            raise self._first_error

    def stop(self) -> None:
        """Ask the child to end, force it after 5 s, and wait until it has."""
        with self._guard:
            self._stopping.set()
            process = self._process
        if process is not None:
            _end(process)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._listener is not None:
            self._listener.join(STOP_S)
            self._listener = None

    def _supervise(self) -> None:
        process = self._first_start()
        failures = 0
        while process is not None:
            started_ms = self._now()
            code = process.wait()
            self._up.clear()
            if self._stopping.is_set():
                return
            log.error("the broker ended (%s); starting it again: %s", _ending(code), self._last_words())
            steady = self._now() - started_ms >= STEADY_MS
            process, failures = self._restart(0 if steady else failures)

    def _first_start(self) -> subprocess.Popen[bytes] | None:
        try:
            process = self._launch(first=True)
        except Exception as error:  # noqa: BLE001 - handed to the thread that called start()
            self._first_error = error
            return None
        else:
            self._up.set()
            return process
        finally:
            self._settled.set()

    def _restart(self, failures: int) -> tuple[subprocess.Popen[bytes] | None, int]:
        """The next child that got ready (None when stopping) and the failures in a row until then."""
        failures += 1
        told = False
        while not self._stopping.wait(restart_delay_s(failures)):
            self.restarts += 1
            try:
                process = self._launch(first=False)
            except Exception as error:  # noqa: BLE001 - the worker loop: whatever it is, try again
                if self._stopping.is_set():
                    break
                log.log(logging.DEBUG if told else logging.WARNING, "the broker does not start: %s", error)
                told = True
                failures += 1
                continue
            self._up.set()
            log.warning("the broker is back, process %d", process.pid)
            return process, failures
        return None, failures

    def _launch(self, *, first: bool) -> subprocess.Popen[bytes]:
        try:
            return self._launch_once(first=first)
        except BrokerError as error:
            if self._stopping.is_set() or not self._repair(str(error)):
                raise
            return self._launch_once(first=first)

    def _launch_once(self, *, first: bool) -> subprocess.Popen[bytes]:
        self._prepare(first)
        owner = self._child.owner
        with self._guard:
            if self._stopping.is_set():
                raise BrokerError("stopped while starting")
            self._process = process = subprocess.Popen(
                system.ending_with_parent(self._child.argv),
                cwd=self._child.folder,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                umask=0o077,
                start_new_session=True,  # Ctrl-C is for the collector, which ends the broker in its turn
                user=None if owner is None else owner.uid,
                group=None if owner is None else owner.gid,
                extra_groups=None if owner is None else (),
            )
        self._lines.clear()
        if process.stderr is not None:
            self._listener = threading.Thread(
                target=self._listen, args=(process.stderr,), name="broker-log", daemon=True
            )
            self._listener.start()
        self._wait_ready(process)
        return process

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline_ms = self._now() + READY_S * 1000
        while not system.answers(self._child.port):
            if process.poll() is not None:
                if self._listener is not None:
                    self._listener.join(1)
                raise BrokerError(
                    f"mosquitto ended at once ({_ending(process.returncode)}): {self._last_words()}"
                )
            if self._now() > deadline_ms:
                _end(process)
                raise BrokerError(f"mosquitto is not ready after {READY_S:g} s: {self._last_words()}")
            self._stopping.wait(0.02)

    def _listen(self, stream: IO[bytes]) -> None:
        """Pass the child's lines on: debug, but what a person must see once as a warning."""
        told: set[str] = set()
        with stream:
            for raw in stream:
                line = _TIMESTAMP.sub("", raw.decode(errors="replace").strip())
                self._lines.append(line)
                if _NOTEWORTHY.search(line) and line not in told and len(told) < _MOST_WARNINGS:
                    told.add(line)
                    mosquitto_log.warning("%s", line)
                else:
                    mosquitto_log.debug("%s", line)

    def _last_words(self) -> str:
        """What the child said of its end: its errors among the last lines, else the last line."""
        lines = list(self._lines)
        wanted = [line for line in lines if _NOTEWORTHY.search(line)] or lines[-1:]
        return "; ".join(wanted) or "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
