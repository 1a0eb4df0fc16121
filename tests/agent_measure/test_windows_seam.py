"""The Windows side of the seam against stand-ins with the documented shapes of winreg and kernel32.

It shows that our calls fit the documented interfaces; it is no run on Windows.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace

import pytest

from hatang_agent import system_windows
from hatang_agent.probes import system as system_probe
from hatang_agent.registry import Context
from hatang_agent.system import CommandMissing, LocalSystem, Output

TREE: dict[str, dict[str, object]] = {
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion": {
        "ProductName": "Windows 10 Pro",
        "CurrentBuildNumber": "22631",
        "CurrentMajorVersionNumber": 10,
        "CurrentMinorVersionNumber": 0,
        "UBR": 3447,
        "DisplayVersion": "23H2",
    },
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Fonts": {},
    system_windows.PREFETCH_KEY.removeprefix("HKLM\\"): {"BootId": 423},
}


class Key:
    """An open key, closed by its with statement."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> Key:
        return self

    def __exit__(self, *_: object) -> None:
        self.path = ""


class FakeRegistry(ModuleType):
    """winreg as documented: OpenKey, QueryInfoKey, EnumValue, EnumKey and their constants."""

    HKEY_LOCAL_MACHINE = 0x80000002
    KEY_READ = 0x20019
    KEY_WOW64_64KEY = 0x0100

    def OpenKey(self, root: int, path: str, reserved: int, access: int) -> Key:  # noqa: N802
        assert (root, reserved, access) == (self.HKEY_LOCAL_MACHINE, 0, self.KEY_READ | self.KEY_WOW64_64KEY)
        if path not in TREE:
            raise FileNotFoundError(2, "not found", path)
        return Key(path)

    def below(self, key: Key) -> list[str]:
        above = key.path + "\\"
        return [path[len(above) :] for path in TREE if path.startswith(above)]

    def QueryInfoKey(self, key: Key) -> tuple[int, int, int]:  # noqa: N802
        return len(self.below(key)), len(TREE[key.path]), 0

    def EnumValue(self, key: Key, at: int) -> tuple[str, object, int]:  # noqa: N802
        name, value = list(TREE[key.path].items())[at]
        return name, value, 1

    def EnumKey(self, key: Key, at: int) -> str:  # noqa: N802
        return self.below(key)[at]


class Windows(LocalSystem):
    """This process told that it runs on Windows; PowerShell answers what the test says."""

    def __init__(self, answer: str = "[]") -> None:
        super().__init__()
        self.platform = "windows"
        self.environ = {"PROCESSOR_ARCHITECTURE": "AMD64"}
        self.machine = "amd64"
        self.answer = answer
        self.asked: list[Sequence[str]] = []

    def run(self, argv: Sequence[str], timeout_s: float) -> Output:
        """PowerShell only."""
        del timeout_s
        if argv[0] != "powershell.exe":
            raise CommandMissing(argv)
        self.asked.append(argv)
        return Output(self.answer, "", 0)


class TickCount:
    """A function of kernel32, which ctypes lets be given a type of result."""

    restype: object = None

    def __call__(self) -> int:
        assert self.restype is ctypes.c_uint64  # the default of ctypes cuts it to 32 bits
        return 86_400_000


@pytest.fixture(autouse=True)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = SimpleNamespace(GetTickCount64=TickCount())
    shell = SimpleNamespace(IsUserAnAdmin=lambda: 1)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel, shell32=shell), raising=False)
    monkeypatch.setitem(sys.modules, "winreg", FakeRegistry("winreg"))


def test_registry_keys_and_values() -> None:
    """Values by name, names of sub-keys, nothing where the key is absent."""
    system = Windows()
    values = system.registry(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion")
    assert values is not None
    assert (values["UBR"], values["DisplayVersion"]) == (3447, "23H2")
    assert system.registry_keys(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion") == ["Fonts"]
    assert system.registry(r"HKLM\SOFTWARE\Nothing") is None
    assert system.registry_keys(r"HKLM\SOFTWARE\Nothing") == []


def test_ticks_and_the_name_of_a_boot() -> None:
    """Time since boot by GetTickCount64; the boot's name changes with the counter of starts only."""
    system = Windows()
    assert system_windows.is_administrator()
    assert system.boot_ms() == 86_400_000
    first = system.boot_id()
    assert first == Windows().boot_id()
    assert len(first) == 32
    TREE[system_windows.PREFETCH_KEY.removeprefix("HKLM\\")]["BootId"] = 424
    try:
        assert Windows().boot_id() != first
    finally:
        TREE[system_windows.PREFETCH_KEY.removeprefix("HKLM\\")]["BootId"] = 423


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('[{"Name": "x"}]', [{"Name": "x"}]),
        ('{"Name": "x"}', [{"Name": "x"}]),
        ("\ufeff[]", []),
        ("", []),
        ("Get-CimInstance : Invalid class", []),
        ("[1, null]", []),
    ],
)
def test_answers_of_powershell(answer: str, expected: list[dict[str, str]]) -> None:
    """A list, one object, nothing, or a complaint: objects or none, never an exception."""
    system = Windows(answer)
    assert system.wmi("root/cimv2", "Win32_BIOS", ["Name"]) == expected
    assert "-Namespace 'root/cimv2' -ClassName 'Win32_BIOS'" in system.asked[0][-1]


def test_the_system_probe_on_this_stand_in() -> None:
    """Windows 11 is told by its build, through the real registry calls."""
    system = Windows()
    result = system_probe.measure(Context(system, system_probe.Config(host_name="off"), 0))
    fields = result.facts[0].fields
    assert json.loads(json.dumps(fields)) == {
        "name": "Windows 11 Pro",
        "version": "23H2",
        "build": "22631.3447",
        "kernel": "10.0.22631",
        "arch": "amd64",
        "supported": "unknown",
        "support_as_of": "2026-11-20",
        "boot_id": system.boot_id(),
    }
    assert [(one.name, one.value) for one in result.samples] == [("system.uptime_s", 86_400)]
