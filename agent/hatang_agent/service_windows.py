"""The agent as a Windows service: first the answer to the service control manager, then everything else.

Windows gives a service 30 s to report, and importing the agent from a busy disk at logon can take
longer. So this module imports next to nothing, reports RUNNING, and only then loads the rest.

``python -m hatang_agent.service_windows`` is started by Windows, never by a person. A machine without
an identity waits for one: see :mod:`hatang_agent.service_handover`.

Never run on Windows. Written against Microsoft's pages "Service State Transitions", "SERVICE_STATUS
structure (winsvc.h)" and "LPHANDLER_FUNCTION_EX callback function (winsvc.h)"; the tests run it with a
control manager of their own.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from hatang_agent.system import System

NAME: Final = "hatang-agent"
NO_ERROR: Final = 0
NOT_IMPLEMENTED: Final = 120
NOT_STARTED_BY_WINDOWS: Final = 1063
STOP_HINT_MS: Final = 20_000
LOG_FILE: Final = "agent.log"
LOG_BYTES: Final = 1_000_000
"""A log grows to this size; one older one is kept beside it."""
_STACK_BYTES: Final = 256 * 1024
_LAST_WORD_S: Final = 5.0


class State(IntEnum):
    """SERVICE_STATUS.dwCurrentState."""

    STOPPED = 1
    STOP_PENDING = 3
    RUNNING = 4


class Control(IntEnum):
    """What the control manager asks of a service."""

    STOP = 1
    INTERROGATE = 4
    SHUTDOWN = 5


class Status(NamedTuple):
    """What the control manager is told; ``failed`` other than 0 makes it use the recovery actions."""

    state: State
    failed: int = 0
    wait_hint_ms: int = 0


class Manager(Protocol):
    """The service control manager. Every method raises OSError."""

    def dispatch(self, name: str, main: Callable[[], None]) -> None:
        """Connect; ``main`` is called on another thread. Returns once the service is STOPPED."""

    def register(self, name: str, handler: Callable[[int], int]) -> None:
        """Have controls sent to ``handler``, on whatever thread."""

    def tell(self, status: Status) -> None:
        """Report a status."""


class Machine(Protocol):
    """What else the service wants of Windows. Every method raises OSError."""

    def recover(self, name: str) -> None:
        """Set delayed start and recovery actions of a service."""

    def own(self, folder: Path) -> None:
        """Make a folder that only SYSTEM and administrators can open."""

    def handed_over(self) -> tuple[Mapping[str, str], int] | None:
        """What the installer left, and when (UTC, ms); None when there is nothing."""

    def erase(self) -> None:
        """Take away what the installer left."""


class Stopper:
    """The wish that the service ends. Remembers it for what is attached later. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._end: Callable[[bool], None] | None = None
        self._shutdown = False

    def stop(self, *, shutdown: bool) -> None:
        """Ask for the end; ``shutdown``: the whole machine goes down."""
        with self._lock:
            self._shutdown = self._shutdown or shutdown
            self._asked.set()
            end = self._end
        if end is not None:
            end(shutdown)

    def attach(self, end: Callable[[bool], None]) -> None:
        """What is called for the end, with whether the machine goes down; at once if it was asked for."""
        with self._lock:
            self._end = end
            asked, shutdown = self._asked.is_set(), self._shutdown
        if asked:
            end(shutdown)

    def wait(self, seconds: float) -> bool:
        """Pause, at most until the end is asked for; whether it is."""
        return self._asked.wait(seconds)


class Service:
    """Stands between the control manager and the work.

    ``work(stopper)`` runs on the thread that calls :meth:`run` (which must be the main one for the
    agent) and returns an exit code.
    """

    def __init__(self, manager: Manager, work: Callable[[Stopper], int]) -> None:
        self._manager = manager
        self._work = work
        self._stopper = Stopper()
        self._begun = threading.Event()
        self._telling = threading.Lock()
        self._status = Status(State.RUNNING)
        self._refused: OSError | None = None

    def run(self) -> int:
        """Serve until the work ends; its exit code. Raises OSError when Windows does not take us."""
        dispatcher = threading.Thread(target=self._dispatch, name="service control", daemon=True)
        dispatcher.start()
        self._begun.wait()
        if self._refused is not None:
            raise self._refused
        code = 1
        try:
            code = self._work(self._stopper)
        finally:
            self._tell(Status(State.STOPPED, code))
            dispatcher.join(_LAST_WORD_S)
        return code

    def _dispatch(self) -> None:
        try:
            self._manager.dispatch(NAME, self._main)
        except OSError as error:
            self._refused = error
        self._begun.set()

    def _main(self) -> None:
        """ServiceMain: the answer and nothing else. It may return; the status says that we run."""
        try:
            self._manager.register(NAME, self._control)
            self._tell(self._status)
        except OSError as error:
            self._refused = error
        self._begun.set()

    def _control(self, control: int) -> int:
        if control == Control.INTERROGATE:
            self._tell(None)
            return NO_ERROR
        if control not in (Control.STOP, Control.SHUTDOWN):
            return NOT_IMPLEMENTED
        self._tell(Status(State.STOP_PENDING, wait_hint_ms=STOP_HINT_MS))
        self._stopper.stop(shutdown=control == Control.SHUTDOWN)
        return NO_ERROR

    def _tell(self, status: Status | None) -> None:
        """Tell a new status, or the last one again; nothing after STOPPED, which is the last word."""
        with self._telling:
            if self._status.state is State.STOPPED:
                return
            self._status = status or self._status
            self._manager.tell(self._status)


def work(machine: Machine, system: System, folder: Path, stopper: Stopper) -> int:
    """Everything behind the answer: folder, log, recovery actions, identity, and the agent itself.

    ``folder`` holds state, settings and log. What goes wrong is in the log, and the exit code is not 0.
    """
    import logging

    machine.own(folder)
    handler = log_handler(folder)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    log = logging.getLogger(__name__)
    try:
        try:
            machine.recover(NAME)
        except OSError as error:  # a policy may forbid it; the agent measures all the same
            log.warning("recovery actions could not be set (%s); Windows will not restart a failure", error)
        from hatang_agent.service_handover import await_identity

        return run_agent(system, folder, stopper) if await_identity(machine, system, folder, stopper) else 0
    except BaseException:
        log.exception("the service ends")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()


def run_agent(system: System, folder: Path, stopper: Stopper) -> int:
    """The resident agent, as ``hatang-agent run`` has it; the control manager ends it, not a signal."""
    import gc
    import logging

    from hatang_agent import config, registry
    from hatang_agent.commands.run import without_http
    from hatang_agent.identity import IdentityError, StateLock, load_credential
    from hatang_agent.strictconfig import ConfigError
    from hatang_agent.wire.messages import Farewell

    with without_http():
        from hatang_agent.app import App
    log = logging.getLogger(__name__)
    probes = registry.probes()
    try:
        settings = config.load_file(None, system, probes)
        logging.getLogger().setLevel(settings.agent.log_level.upper())
        threading.stack_size(_STACK_BYTES)
        with StateLock(folder):
            credential = load_credential(folder)
            if credential is None:
                log.warning("%s: the identity is gone; enrol again with hatang-agent enroll", folder)
                return 2
            app = App(system, folder, credential, settings, probes)
            stopper.attach(lambda shutdown: app.stop(Farewell.SHUTDOWN if shutdown else Farewell.STOP))
            gc.collect()
            gc.freeze()
            return app.run()
    except (IdentityError, ConfigError) as error:
        log.warning("%s", error)  # and Windows tries again
        return 2


def log_handler(folder: Path) -> logging.Handler:
    """Writes to ``agent.log`` of a folder. At a megabyte it becomes ``agent.log.1`` and a new one begins."""
    import logging

    class Growing(logging.FileHandler):
        """The handlers of the standard library that do this cost half a megabyte of memory."""

        def emit(self, record: logging.LogRecord) -> None:
            if self.stream is not None and self.stream.tell() > LOG_BYTES:
                self.close()
                path = folder / LOG_FILE
                path.replace(path.with_name(LOG_FILE + ".1"))
            super().emit(record)

    handler = Growing(folder / LOG_FILE, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


def main() -> int:
    """What Windows starts."""
    from hatang_agent.service_windows_api import ControlManager, WindowsMachine

    def everything(stopper: Stopper) -> int:
        from pathlib import Path

        from hatang_agent.system import LocalSystem

        system = LocalSystem()
        folder = Path(system.environ.get("PROGRAMDATA", r"C:\ProgramData")) / NAME
        return work(WindowsMachine(), system, folder, stopper)

    try:
        return Service(ControlManager(), everything).run()
    except OSError as error:
        if getattr(error, "winerror", None) == NOT_STARTED_BY_WINDOWS and sys.stderr is not None:
            print("this is the Windows service; for a person there is: hatang-agent --help", file=sys.stderr)  # noqa: T201
            return 2
        raise


if __name__ == "__main__":
    sys.exit(main())
