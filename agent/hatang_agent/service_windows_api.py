"""The calls of advapi32, kernel32 and the registry that the Windows service needs, by ctypes.

Callable on Windows only, and never run there. Written against Microsoft's pages
"StartServiceCtrlDispatcherW", "RegisterServiceCtrlHandlerExW", "SetServiceStatus",
"ChangeServiceConfig2W", "SERVICE_FAILURE_ACTIONSW", "CreateDirectoryW", "GetNamedSecurityInfoW",
"SetNamedSecurityInfoW", "IsWellKnownSid" and
"ConvertStringSecurityDescriptorToSecurityDescriptorW". The tests call it with libraries of their own.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Callable, Mapping
from ctypes import POINTER, byref, c_int, c_void_p, c_wchar_p, sizeof
from pathlib import Path
from typing import Any, Final

from hatang_agent.service_windows import State, Status

# ctypes.wintypes has other widths outside of Windows, where the tests look at these structures.
DWORD: Final = ctypes.c_uint32
BOOL: Final = ctypes.c_int32
HANDLE: Final = c_void_p

OWN_PROCESS: Final = 0x10
ACCEPT_STOP: Final = 0x1
ACCEPT_SHUTDOWN: Final = 0x4
SERVICE_SPECIFIC_ERROR: Final = 1066
FAILURE_ACTIONS: Final = 2
DELAYED_AUTO_START: Final = 3
FAILURE_ACTIONS_FLAG: Final = 4
RESTART: Final = 1
RESTARTS_MS: Final = (60_000, 300_000, 900_000)
"""Windows starts a service that failed again after so long; the last pause holds from then on."""
FORGET_FAILURES_S: Final = 86_400
MANAGER_CONNECT: Final = 0x1
CHANGE_CONFIG_AND_START: Final = 0x2 | 0x10
ALREADY_EXISTS: Final = 183
REPARSE_POINT: Final = 0x400
NO_ATTRIBUTES: Final = 0xFFFFFFFF
FILE_OBJECT: Final = 1
OWNER: Final = 0x1
PROTECTED_DACL: Final = 0x4 | 0x80000000
TRUSTED_OWNERS: Final = (22, 26)
"""WinLocalSystemSid, WinBuiltinAdministratorsSid."""
CLOSED: Final = "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
"""SDDL: owned by administrators, nothing inherited, full access for SYSTEM and administrators."""
HAND_OVER: Final = r"SOFTWARE\hatang-agent\Enrol"
_FILETIME_TO_UNIX_MS: Final = 11_644_473_600_000  # 1601 to 1970


class ServiceStatus(ctypes.Structure):
    """SERVICE_STATUS."""

    _fields_ = (
        ("type", DWORD),
        ("state", DWORD),
        ("accepted", DWORD),
        ("exit_code", DWORD),
        ("specific_exit_code", DWORD),
        ("checkpoint", DWORD),
        ("wait_hint_ms", DWORD),
    )


class ServiceTableEntry(ctypes.Structure):
    """SERVICE_TABLE_ENTRYW."""

    _fields_ = (("name", c_wchar_p), ("main", c_void_p))


class Action(ctypes.Structure):
    """SC_ACTION."""

    _fields_ = (("type", c_int), ("delay_ms", DWORD))


class FailureActions(ctypes.Structure):
    """SERVICE_FAILURE_ACTIONSW."""

    _fields_ = (
        ("reset_s", DWORD),
        ("reboot_message", c_wchar_p),
        ("command", c_wchar_p),
        ("count", DWORD),
        ("actions", POINTER(Action)),
    )


class SecurityAttributes(ctypes.Structure):
    """SECURITY_ATTRIBUTES."""

    _fields_ = (("length", DWORD), ("descriptor", c_void_p), ("inherit", BOOL))


def status_of(status: Status) -> ServiceStatus:
    """A status as Windows wants it. Controls are taken only while RUNNING."""
    accepted = ACCEPT_STOP | ACCEPT_SHUTDOWN if status.state is State.RUNNING else 0
    failed = SERVICE_SPECIFIC_ERROR if status.failed else 0
    return ServiceStatus(OWN_PROCESS, status.state, accepted, failed, status.failed, 0, status.wait_hint_ms)


class Libraries:
    """The system's libraries; what the tests replace."""

    def __init__(self) -> None:
        load: Any = vars(ctypes)["WinDLL"]
        self.advapi32: Any = load("advapi32", use_last_error=True)
        self.kernel32: Any = load("kernel32", use_last_error=True)
        self.callback: Callable[..., Any] = vars(ctypes)["WINFUNCTYPE"]

    def error(self, code: int | None = None) -> OSError:
        """The last error of this thread, or the one with a code, as an exception."""
        found = vars(ctypes)["get_last_error"]() if code is None else code
        made: OSError = vars(ctypes)["WinError"](found)
        return made


def _typed(function: Any, result: Any, *arguments: Any) -> Any:
    """A function of a library with its prototype: without one, handles are cut to 32 bits."""
    function.restype = result
    function.argtypes = arguments
    return function


class ControlManager:
    """:class:`hatang_agent.service_windows.Manager` on Windows."""

    def __init__(self, libraries: Libraries | None = None) -> None:
        self._windows = libraries or Libraries()
        self._handle: Any = None
        self._kept: list[Any] = []  # Windows calls these; they must not be collected

    def dispatch(self, name: str, main: Callable[[], None]) -> None:
        """StartServiceCtrlDispatcherW."""
        called = self._windows.callback(None, DWORD, c_void_p)(lambda _count, _arguments: main())
        table = (ServiceTableEntry * 2)()
        table[0] = ServiceTableEntry(name, ctypes.cast(called, c_void_p))
        self._kept += [called, table]
        start = _typed(self._windows.advapi32.StartServiceCtrlDispatcherW, BOOL, c_void_p)
        if not start(table):
            raise self._windows.error()

    def register(self, name: str, handler: Callable[[int], int]) -> None:
        """RegisterServiceCtrlHandlerExW."""
        prototype = self._windows.callback(DWORD, DWORD, DWORD, c_void_p, c_void_p)
        called = prototype(lambda control, _event, _data, _context: handler(control))
        self._kept.append(called)
        advapi32 = self._windows.advapi32
        register = _typed(advapi32.RegisterServiceCtrlHandlerExW, HANDLE, c_wchar_p, prototype, c_void_p)
        self._handle = register(name, called, None)
        if not self._handle:
            raise self._windows.error()

    def tell(self, status: Status) -> None:
        """SetServiceStatus."""
        told = status_of(status)
        tell = _typed(self._windows.advapi32.SetServiceStatus, BOOL, HANDLE, c_void_p)
        if not tell(self._handle, byref(told)):
            raise self._windows.error()


class WindowsMachine:
    """:class:`hatang_agent.service_windows.Machine` on Windows."""

    def __init__(self, libraries: Libraries | None = None, registry: Any = None) -> None:
        self._windows = libraries or Libraries()
        self._winreg = registry if registry is not None else importlib.import_module("winreg")

    def recover(self, name: str) -> None:
        """ChangeServiceConfig2W: start after the others, restart after 1, 5, then each 15 minutes.

        A service that ends with an error counts as failed too, not only one that dies.
        """
        advapi32 = self._windows.advapi32
        close = _typed(advapi32.CloseServiceHandle, BOOL, HANDLE)
        manager = _typed(advapi32.OpenSCManagerW, HANDLE, c_wchar_p, c_wchar_p, DWORD)(
            None, None, MANAGER_CONNECT
        )
        if not manager:
            raise self._windows.error()
        try:
            opened = _typed(advapi32.OpenServiceW, HANDLE, HANDLE, c_wchar_p, DWORD)
            service = opened(manager, name, CHANGE_CONFIG_AND_START)
            if not service:
                raise self._windows.error()
            try:
                self._configure(service)
            finally:
                close(service)
        finally:
            close(manager)

    def _configure(self, service: Any) -> None:
        actions = (Action * len(RESTARTS_MS))(*(Action(RESTART, delay) for delay in RESTARTS_MS))
        failures = FailureActions(FORGET_FAILURES_S, None, None, len(actions), actions)
        yes = BOOL(1)
        change = _typed(self._windows.advapi32.ChangeServiceConfig2W, BOOL, HANDLE, DWORD, c_void_p)
        for level, value in (
            (FAILURE_ACTIONS, failures),
            (FAILURE_ACTIONS_FLAG, yes),
            (DELAYED_AUTO_START, yes),
        ):
            if not change(service, level, byref(value)):
                raise self._windows.error()

    def own(self, folder: Path) -> None:
        """Make the folder closed, or close the one that is there.

        Everybody may make folders in %ProgramData%. One that another user owns, or a link, is moved out
        of the way first: what lies in it was not written by us.
        """
        descriptor = c_void_p()
        convert = _typed(
            self._windows.advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW,
            BOOL, c_wchar_p, DWORD, POINTER(c_void_p), c_void_p,
        )  # fmt: skip
        if not convert(CLOSED, 1, byref(descriptor), None):
            raise self._windows.error()
        try:
            if self._made(folder, descriptor):
                return
            if self._is_ours(folder):
                self._close(folder, descriptor)
                return
            # A name that nobody can have taken beforehand.
            folder.rename(folder.with_name(f"{folder.name}.untrusted-{os.urandom(4).hex()}"))
            if not self._made(folder, descriptor):
                raise self._windows.error(ALREADY_EXISTS)
        finally:
            _typed(self._windows.kernel32.LocalFree, c_void_p, c_void_p)(descriptor)

    def _made(self, folder: Path, descriptor: c_void_p) -> bool:
        """Whether the folder could be made; False when it is there already."""
        attributes = SecurityAttributes(sizeof(SecurityAttributes), descriptor, 0)
        create = _typed(self._windows.kernel32.CreateDirectoryW, BOOL, c_wchar_p, c_void_p)
        if create(str(folder), byref(attributes)):
            return True
        error = self._windows.error()
        if getattr(error, "winerror", None) != ALREADY_EXISTS:
            raise error
        return False

    def _is_ours(self, folder: Path) -> bool:
        """Whether it is a folder, not a link, and belongs to SYSTEM or administrators."""
        found = _typed(self._windows.kernel32.GetFileAttributesW, DWORD, c_wchar_p)(str(folder))
        if found == NO_ATTRIBUTES:
            raise self._windows.error()
        if found & REPARSE_POINT:
            return False
        advapi32 = self._windows.advapi32
        owner, descriptor = c_void_p(), c_void_p()
        ask = _typed(
            advapi32.GetNamedSecurityInfoW, DWORD, c_wchar_p, c_int, DWORD, POINTER(c_void_p), c_void_p,
            c_void_p, c_void_p, POINTER(c_void_p),
        )  # fmt: skip
        code = ask(str(folder), FILE_OBJECT, OWNER, byref(owner), None, None, None, byref(descriptor))
        if code:
            raise self._windows.error(code)
        try:
            known = _typed(advapi32.IsWellKnownSid, BOOL, c_void_p, c_int)
            return any(known(owner, kind) for kind in TRUSTED_OWNERS)
        finally:
            _typed(self._windows.kernel32.LocalFree, c_void_p, c_void_p)(descriptor)

    def _close(self, folder: Path, descriptor: c_void_p) -> None:
        advapi32 = self._windows.advapi32
        present, defaulted, rights = BOOL(), BOOL(), c_void_p()
        read = _typed(
            advapi32.GetSecurityDescriptorDacl,
            BOOL,
            c_void_p,
            POINTER(BOOL),
            POINTER(c_void_p),
            POINTER(BOOL),
        )
        if not read(descriptor, byref(present), byref(rights), byref(defaulted)):
            raise self._windows.error()
        change = _typed(
            advapi32.SetNamedSecurityInfoW,
            DWORD,
            c_wchar_p,
            c_int,
            DWORD,
            c_void_p,
            c_void_p,
            c_void_p,
            c_void_p,
        )
        code = change(str(folder), FILE_OBJECT, PROTECTED_DACL, None, None, rights, None)
        if code:
            raise self._windows.error(code)

    def handed_over(self) -> tuple[Mapping[str, str], int] | None:
        """The texts of :data:`HAND_OVER` and when they were written."""
        registry = self._winreg
        access = registry.KEY_READ | registry.KEY_WOW64_64KEY
        try:
            with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, HAND_OVER, 0, access) as key:
                _, count, written = registry.QueryInfoKey(key)
                found = [registry.EnumValue(key, at) for at in range(count)]
        except FileNotFoundError:
            return None
        values = {name: value for name, value, _ in found if isinstance(value, str)}
        return values, written // 10_000 - _FILETIME_TO_UNIX_MS

    def erase(self) -> None:
        """Delete the key, and the one above it when nothing else is in it."""
        registry = self._winreg
        registry.DeleteKeyEx(registry.HKEY_LOCAL_MACHINE, HAND_OVER, registry.KEY_WOW64_64KEY, 0)
        above = HAND_OVER.rpartition("\\")[0]
        access = registry.KEY_READ | registry.KEY_WOW64_64KEY
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, above, 0, access) as key:
            empty = registry.QueryInfoKey(key)[:2] == (0, 0)
        if empty:
            registry.DeleteKeyEx(registry.HKEY_LOCAL_MACHINE, above, registry.KEY_WOW64_64KEY, 0)
