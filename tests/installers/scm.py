"""A service control manager and a Windows of our own: what the service says is written down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hatang_agent.service_windows import Control, State, Status


@dataclass
class Manager:
    """Calls ServiceMain on a thread of its own and controls on the dispatcher's, as Windows does."""

    refuses: OSError | None = None
    told: list[Status] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    handler: Callable[[int], int] | None = None
    name: str = ""
    _said: threading.Condition = field(default_factory=threading.Condition)
    _asked: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def dispatch(self, name: str, main: Callable[[], None]) -> None:
        """StartServiceCtrlDispatcherW."""
        if self.refuses is not None:
            raise self.refuses
        self.name = name
        self.threads.append(threading.get_ident())
        service = threading.Thread(target=main)
        service.start()
        with self._said:
            while not (self.told and self.told[-1].state is State.STOPPED):
                self._said.wait_for(
                    lambda: self._asked or (self.told and self.told[-1].state is State.STOPPED), 30
                )
                asked, self._asked = self._asked, []
                self._said.release()
                try:
                    for control in asked:
                        assert self.handler is not None
                        self.answers.append(self.handler(control))
                finally:
                    self._said.acquire()
        service.join()

    def register(self, name: str, handler: Callable[[int], int]) -> None:
        """RegisterServiceCtrlHandlerExW."""
        assert name == self.name
        self.handler = handler

    def tell(self, status: Status) -> None:
        """SetServiceStatus."""
        with self._said:
            self.told.append(status)
            self._said.notify_all()

    def ask(self, *controls: int) -> None:
        """What ``sc.exe stop`` and a shutdown do."""
        with self._said:
            self._asked += controls
            self._said.notify_all()

    def waits_for(self, state: State) -> bool:
        """Whether the state is told within ten seconds."""
        with self._said:
            return self._said.wait_for(lambda: any(one.state is state for one in self.told), 10)


@dataclass
class Windows:
    """The other wishes of the service."""

    handed: Mapping[str, str] | None = None
    since_ms: int = 0
    erased: int = 0
    recovered: list[str] = field(default_factory=list)
    may_recover: bool = True

    def recover(self, name: str) -> None:
        """ChangeServiceConfig2W."""
        if not self.may_recover:
            raise PermissionError(5, "Access is denied")
        self.recovered.append(name)

    def own(self, folder: Path) -> None:
        """A closed folder."""
        folder.mkdir(mode=0o700, exist_ok=True)

    def handed_over(self) -> tuple[Mapping[str, str], int] | None:
        """What the installer left."""
        return None if self.handed is None else (self.handed, self.since_ms)

    def erase(self) -> None:
        """It is gone."""
        self.handed = None
        self.erased += 1


STOP, SHUTDOWN, INTERROGATE = int(Control.STOP), int(Control.SHUTDOWN), int(Control.INTERROGATE)
