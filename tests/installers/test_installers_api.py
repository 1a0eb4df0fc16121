"""The calls to Windows: what is handed over is what Microsoft's pages describe, byte for byte.

The libraries are stand-ins that read the memory they are given; nothing here is Windows.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from ctypes import c_uint32, c_void_p
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import service_windows_api as api
from hatang_agent.service_windows import Service, State, Status, Stopper

HANDLE = 0x1234_5678_9ABC  # wider than 32 bits, as handles may be
SID = 0x77_0000_0001


class Function:
    """One function of a library: written down, then answered."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer
        self.restype: Any = None
        self.argtypes: Any = None

    def __call__(self, *arguments: Any) -> Any:
        assert self.restype is not None, "called without a prototype"
        assert len(self.argtypes) == len(arguments)
        return self._answer(*arguments)


class Library:
    """A library whose functions are given by name."""

    def __init__(self, **answers: Callable[..., Any]) -> None:
        for name, answer in answers.items():
            setattr(self, name, Function(answer))


class Libraries(api.Libraries):
    """advapi32 and kernel32 for a test; ``failed`` is the last error."""

    def __init__(self, advapi32: Library | None = None, kernel32: Library | None = None) -> None:
        self.advapi32 = advapi32 or Library()
        self.kernel32 = kernel32 or Library()
        self.callback = ctypes.CFUNCTYPE
        self.failed = 5

    def error(self, code: int | None = None) -> OSError:
        """An exception as ctypes.WinError makes it."""
        made = OSError(code or self.failed, "told by Windows")
        made.winerror = code or self.failed  # type: ignore[attr-defined]
        return made


def pointed(pointer: Any, kind: Any) -> Any:
    """What a pointer argument points at."""
    return ctypes.cast(pointer, ctypes.POINTER(kind)).contents


def test_structures_have_their_documented_sizes() -> None:
    """The sizes of 64-bit Windows."""
    assert ctypes.sizeof(api.ServiceStatus) == 28
    assert ctypes.sizeof(api.ServiceTableEntry) == 16
    assert ctypes.sizeof(api.Action) == 8
    assert ctypes.sizeof(api.FailureActions) == 40
    assert ctypes.sizeof(api.SecurityAttributes) == 24


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status(State.RUNNING), (0x10, 4, 0x5, 0, 0, 0, 0)),
        (Status(State.STOP_PENDING, wait_hint_ms=20_000), (0x10, 3, 0, 0, 0, 0, 20_000)),
        (Status(State.STOPPED), (0x10, 1, 0, 0, 0, 0, 0)),
        (Status(State.STOPPED, 2), (0x10, 1, 0, 1066, 2, 0, 0)),
    ],
)
def test_a_status_as_windows_wants_it(status: Status, expected: tuple[int, ...]) -> None:
    """Controls are accepted while RUNNING only; a failure has an error of its own."""
    made = api.status_of(status)

    assert tuple(getattr(made, name) for name, _ in made._fields_) == expected


def test_a_service_lives_through_the_calls() -> None:
    """Dispatcher table, ServiceMain, handler and statuses, with the callbacks called from foreign threads."""
    told: list[tuple[int, int, int]] = []
    handlers: list[Any] = []
    stopped = threading.Event()

    def dispatch(table: Any) -> int:
        entries = ctypes.cast(table, ctypes.POINTER(api.ServiceTableEntry))
        assert entries[0].name == "hatang-agent"
        assert entries[1].name is None
        assert entries[1].main is None
        main = ctypes.CFUNCTYPE(None, c_uint32, c_void_p)(entries[0].main)
        service = threading.Thread(target=main, args=(1, None))
        service.start()
        service.join()
        assert handlers[0](4, 0, None, None) == 0
        assert handlers[0](1, 0, None, None) == 0
        assert stopped.wait(10)
        return 1

    def register(name: str, handler: Any, context: Any) -> int:
        assert (name, context) == ("hatang-agent", None)
        handlers.append(handler)
        return HANDLE

    def tell(handle: int, status: Any) -> int:
        found = status._obj
        told.append((handle, found.state, found.specific_exit_code))
        if found.state == State.STOPPED:
            stopped.set()
        return 1

    library = Library(
        StartServiceCtrlDispatcherW=dispatch, RegisterServiceCtrlHandlerExW=register, SetServiceStatus=tell
    )

    def work(stopper: Stopper) -> int:
        assert stopper.wait(10)
        return 7

    assert Service(api.ControlManager(Libraries(library)), work).run() == 7
    assert told == [(HANDLE, 4, 0), (HANDLE, 4, 0), (HANDLE, 3, 0), (HANDLE, 1, 7)]


def test_a_refusal_of_the_dispatcher_is_an_error() -> None:
    """1063: started by a person."""
    libraries = Libraries(Library(StartServiceCtrlDispatcherW=lambda _table: 0))
    libraries.failed = 1063

    with pytest.raises(OSError, match="told by Windows") as caught:
        api.ControlManager(libraries).dispatch("hatang-agent", lambda: None)
    assert caught.value.winerror == 1063  # type: ignore[attr-defined]


class Manager:
    """The service control manager's database."""

    def __init__(self, refuse: int = 0) -> None:
        self.changed: dict[int, Any] = {}
        self.closed: list[int] = []
        self._refuse = refuse

    def change(self, handle: int, level: int, value: Any) -> int:
        """ChangeServiceConfig2W."""
        assert handle == HANDLE + 1
        if level == self._refuse:
            return 0
        found = value._obj
        if level == api.FAILURE_ACTIONS:
            actions = [(found.actions[at].type, found.actions[at].delay_ms) for at in range(found.count)]
            self.changed[level] = (found.reset_s, actions, found.reboot_message, found.command)
        else:
            self.changed[level] = found.value
        return 1

    def close(self, handle: int) -> int:
        """CloseServiceHandle."""
        self.closed.append(handle)
        return 1

    def libraries(self) -> Libraries:
        """As the service sees it."""
        return Libraries(
            Library(
                OpenSCManagerW=lambda _machine, _database, access: HANDLE if access == 1 else 0,
                OpenServiceW=lambda manager, name, access: (
                    HANDLE + 1 if (manager, name, access) == (HANDLE, "hatang-agent", 0x12) else 0
                ),
                ChangeServiceConfig2W=self.change,
                CloseServiceHandle=self.close,
            )
        )


def test_recovery_actions_and_delayed_start() -> None:
    """Restart after 1, 5 and 15 minutes, also when it ends with an error; start after the others."""
    manager = Manager()

    api.WindowsMachine(manager.libraries(), object()).recover("hatang-agent")

    minutes = [(1, 60_000), (1, 300_000), (1, 900_000)]
    assert manager.changed == {2: (86_400, minutes, None, None), 4: 1, 3: 1}
    assert manager.closed == [HANDLE + 1, HANDLE]


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_refused_change_lets_go_of_its_handles(level: int) -> None:
    """A policy that forbids it is an error; nothing is kept open."""
    manager = Manager(refuse=level)

    with pytest.raises(OSError, match="told by Windows"):
        api.WindowsMachine(manager.libraries(), object()).recover("hatang-agent")
    assert manager.closed == [HANDLE + 1, HANDLE]


class Disk:
    """Folders with owners on a Windows that follows the documented calls; real folders stand for them."""

    def __init__(self, *, owner: int = 0, link: bool = False) -> None:
        self.owner = owner
        self.link = link
        self.made_with: list[str] = []
        self.closed: list[tuple[str, int]] = []
        self.freed = 0
        self._texts: dict[int, str] = {}

    def convert(self, text: str, revision: int, out: Any, _size: Any) -> int:
        """ConvertStringSecurityDescriptorToSecurityDescriptorW."""
        assert revision == 1
        number = 0x55_0000_0000 + len(self._texts)
        self._texts[number] = text
        out._obj.value = number
        return 1

    def create(self, path: str, attributes: Any) -> int:
        """CreateDirectoryW."""
        given = attributes._obj
        assert (given.length, given.inherit) == (24, 0)
        if Path(path).exists():
            return 0
        Path(path).mkdir()
        self.made_with.append(self._texts[given.descriptor])
        return 1

    def ask_owner(self, path: str, kind: int, what: int, owner: Any, *rest: Any) -> int:
        """GetNamedSecurityInfoW."""
        assert Path(path).exists()
        assert (kind, what, rest[:3]) == (1, 1, (None, None, None))
        owner._obj.value = SID
        rest[3]._obj.value = 0x66_0000_0001
        return 0

    def known(self, sid: Any, kind: int) -> int:
        """IsWellKnownSid."""
        assert sid.value == SID
        return int(kind == self.owner)

    def rights(self, descriptor: Any, present: Any, out: Any, _defaulted: Any) -> int:
        """GetSecurityDescriptorDacl."""
        assert descriptor.value in self._texts
        present._obj.value = 1
        out._obj.value = 0x88_0000_0001
        return 1

    def close(self, path: str, kind: int, what: int, *rest: Any) -> int:
        """SetNamedSecurityInfoW."""
        assert (kind, rest[0], rest[1], rest[3]) == (1, None, None, None)
        assert rest[2].value == 0x88_0000_0001
        self.closed.append((path, what))
        return 0

    def free(self, _pointer: Any) -> int:
        """LocalFree."""
        self.freed += 1
        return 0

    def machine(self) -> api.WindowsMachine:
        """As the service sees it."""
        advapi32 = Library(
            ConvertStringSecurityDescriptorToSecurityDescriptorW=self.convert,
            GetNamedSecurityInfoW=self.ask_owner,
            IsWellKnownSid=self.known,
            GetSecurityDescriptorDacl=self.rights,
            SetNamedSecurityInfoW=self.close,
        )
        kernel32 = Library(
            CreateDirectoryW=self.create,
            GetFileAttributesW=lambda _path: 0x10 | (api.REPARSE_POINT if self.link else 0),
            LocalFree=self.free,
        )
        libraries = Libraries(advapi32, kernel32)
        libraries.failed = api.ALREADY_EXISTS
        return api.WindowsMachine(libraries, object())


def test_a_new_folder_is_closed_from_its_first_moment(tmp_path: Path) -> None:
    """Made with its rights, not opened first and closed later."""
    disk = Disk()

    disk.machine().own(tmp_path / "state")

    assert disk.made_with == ["O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"]
    assert disk.closed == []
    assert disk.freed == 1


@pytest.mark.parametrize("owner", [22, 26])
def test_a_folder_of_administrators_is_closed_again(tmp_path: Path, owner: int) -> None:
    """An administrator laid out agent.toml beforehand: kept, and nothing inherited any more."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "agent.toml").touch()
    disk = Disk(owner=owner)

    disk.machine().own(state)

    assert disk.closed == [(str(state), 0x80000004)]
    assert (state / "agent.toml").exists()
    assert disk.freed == 2


@pytest.mark.parametrize(("owner", "link"), [(0, False), (22, True)])
def test_what_somebody_else_prepared_is_moved_away(tmp_path: Path, owner: int, link: bool) -> None:
    """Everybody may make folders in %ProgramData%: a foreign one, or a link, is not taken over."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "credential.json").write_text("planted", encoding="ascii")
    disk = Disk(owner=owner, link=link)

    disk.machine().own(state)

    assert list(state.iterdir()) == []
    assert len(disk.made_with) == 1
    (moved,) = tmp_path.glob("state.untrusted-*")
    assert (moved / "credential.json").read_text(encoding="ascii") == "planted"


class Registry:
    """winreg with the keys of one installation."""

    HKEY_LOCAL_MACHINE = "HKLM"
    KEY_READ = 0x20019
    KEY_WOW64_64KEY = 0x100

    def __init__(self, values: Mapping[str, Any] | None, *, others: bool = False) -> None:
        self.keys: dict[str, Mapping[str, Any]] = {r"SOFTWARE\hatang-agent": {"Other": 1} if others else {}}
        if values is not None:
            self.keys[api.HAND_OVER] = values

    def OpenKey(self, root: str, path: str, reserved: int, access: int) -> Any:  # noqa: N802
        """A key, to be used in a with statement."""
        assert (root, reserved, access) == ("HKLM", 0, 0x20119)
        if path not in self.keys:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return _Opened(path)

    def QueryInfoKey(self, key: Any) -> tuple[int, int, int]:  # noqa: N802
        """Sub-keys, values, and when it was written, in 100 ns since 1601."""
        below = [path for path in self.keys if path.startswith(f"{key.path}\\")]
        return len(below), len(self.keys[key.path]), (1_763_640_000_000 + 11_644_473_600_000) * 10_000

    def EnumValue(self, key: Any, at: int) -> tuple[str, Any, int]:  # noqa: N802
        """One value."""
        return (*list(self.keys[key.path].items())[at], 1)

    def DeleteKeyEx(self, root: str, path: str, access: int, reserved: int) -> None:  # noqa: N802
        """Delete a key without sub-keys."""
        assert (root, access, reserved) == ("HKLM", 0x100, 0)
        assert not [other for other in self.keys if other.startswith(f"{path}\\")]
        del self.keys[path]


class _Opened:
    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_the_hand_over_is_read_with_its_time() -> None:
    """Texts only, and when they were written; nothing there is None."""
    registry = Registry({"Url": "https://h:1", "Token": "t", "Number": 7})

    assert api.WindowsMachine(Libraries(), registry).handed_over() == (
        {"Url": "https://h:1", "Token": "t"},
        1_763_640_000_000,
    )
    assert api.WindowsMachine(Libraries(), Registry(None)).handed_over() is None


@pytest.mark.parametrize(("others", "left"), [(False, set()), (True, {r"SOFTWARE\hatang-agent"})])
def test_the_hand_over_is_erased_with_its_key(others: bool, left: set[str]) -> None:
    """The key above goes too, unless something else is in it."""
    registry = Registry({"Token": "t"}, others=others)

    api.WindowsMachine(Libraries(), registry).erase()

    assert set(registry.keys) == left


def test_the_last_error_becomes_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ctypes offers it on Windows."""
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: (name, use_last_error), raising=False)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 5, raising=False)
    monkeypatch.setattr(ctypes, "WinError", lambda code: OSError(code, "denied"), raising=False)
    libraries = api.Libraries()

    assert libraries.advapi32 == ("advapi32", True)
    assert libraries.error().errno == 5
    assert libraries.error(1063).errno == 1063
