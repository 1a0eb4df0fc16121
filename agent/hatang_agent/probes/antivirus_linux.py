"""Antivirus on Linux: files tell what is installed, each product's own command how it is.

Nothing is started for a product whose files are not there, and never more than three programs a
run. Where the tree cannot be listed (a recording without one) every program is asked, and what
does not answer leaves the look incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hatang_agent.probes import _antivirus_clamav as clamav
from hatang_agent.probes import _antivirus_commands as commands
from hatang_agent.probes import _antivirus_mdatp as mdatp
from hatang_agent.probes._antivirus_products import PRODUCTS
from hatang_agent.probes._antivirus_verdict import Found, Look, age_days, pairs, raw
from hatang_agent.system import CommandMissing, CommandTimeout, Output, System

MAX_PROGRAMS = 3
TIMEOUT_S = 12.0
SYSTEMCTL = ("systemctl", "show", "--property=Id,LoadState,ActiveState")
ESET_UNITS = ("eea.service", "efs.service")


@dataclass(frozen=True, slots=True)
class Program:
    """A product with a command that tells its state: where it lies, how it is asked, how it is read."""

    key: str
    product: str
    vendor: str
    files: tuple[str, ...]
    argvs: tuple[tuple[str, ...], ...]
    parse: Callable[[Output, int], Found]


PROGRAMS = (
    Program(
        mdatp.KEY,
        mdatp.PRODUCT,
        mdatp.VENDOR,
        ("/opt/microsoft/mdatp", "/usr/bin/mdatp"),
        (mdatp.MDATP,),
        mdatp.parse,
    ),
    Program(
        "bitdefender",
        commands.BITDEFENDER,
        "Bitdefender",
        ("/opt/bitdefender-security-tools", "/usr/bin/bduitool"),
        (
            ("/opt/bitdefender-security-tools/bin/bduitool", "get", "ps"),
            ("bduitool", "get", "ps"),
        ),
        commands.bitdefender,
    ),
    Program(
        "kaspersky",
        commands.KASPERSKY,
        "Kaspersky",
        ("/opt/kaspersky/kesl", "/usr/bin/kesl-control"),
        (("kesl-control", "--app-info"), ("/opt/kaspersky/kesl/bin/kesl-control", "--app-info")),
        commands.kaspersky,
    ),
    Program(
        "sophos",
        commands.SOPHOS,
        "Sophos",
        ("/opt/sophos-av",),
        (("/opt/sophos-av/bin/savdstatus",),),
        commands.sophos,
    ),
)


class Asker:
    """Starts programs, at most so many, and looks at folders once each."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.closed: list[str] = []
        self._left = MAX_PROGRAMS
        self._folders: dict[str, list[str]] = {}
        self.can_list = bool(self.names("/usr/bin"))

    def names(self, folder: str) -> list[str]:
        """Names in a folder; one that is closed to us is remembered in ``closed``."""
        if folder not in self._folders:
            try:
                self._folders[folder] = self.system.list_dir(folder)
            except PermissionError:
                self._folders[folder] = []
                self.closed.append(folder)
        return self._folders[folder]

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        folder, _, name = path.rpartition("/")
        return name in self.names(folder or "/")

    def run(self, argv: Sequence[str]) -> Output | str:
        """What the program printed, or in words why there is nothing. Raises CommandMissing."""
        if not self._left:
            return f"not asked: at most {MAX_PROGRAMS} programs a run"
        try:
            output = self.system.run(argv, TIMEOUT_S)
        except CommandTimeout:
            self._left -= 1
            return f"{argv[0]} did not answer within {TIMEOUT_S:g} s"
        self._left -= 1
        return output

    def units(self, names: Sequence[str]) -> dict[str, str]:
        """State of those units of systemd that exist; empty when systemd does not answer."""
        try:
            output = self.run((*SYSTEMCTL, *names))
        except CommandMissing:
            return {}
        return unit_states(output.stdout) if isinstance(output, Output) and output.exit == 0 else {}


def look(system: System) -> Look:
    """Every known product that is here."""
    asker = Asker(system)
    found = [one for one in (_program(asker, program) for program in PROGRAMS) if one]
    found += [one for one in (_clamav(asker), _eset(asker)) if one]
    taken = {one.key for one in found}
    found += [one for one in _by_folder(asker) if one.key not in taken]
    gaps = [f"no right to look into {folder}" for folder in asker.closed]
    if not asker.can_list:
        gaps.append("the installed programs cannot be listed")
    return Look(found, gaps)


def _program(asker: Asker, program: Program) -> Found | None:
    here = [path for path in program.files if asker.exists(path)]
    if asker.can_list and not here:
        return None
    for argv in program.argvs:
        try:
            output = asker.run(argv)
        except CommandMissing:
            continue
        if isinstance(output, str):
            break
        return program.parse(output, asker.system.wall_ms())
    else:
        if not here:
            return None
        output = f"its files are here, its program {program.argvs[0][0]} cannot be started"
    return Found(
        program.key, program.product, program.vendor, why=output, evidence=f"installed: {' '.join(here)}"
    )


def _by_folder(asker: Asker) -> list[Found]:
    """Products whose state no documented command tells."""
    here = [(one, [path for path in one.folders if asker.exists(path)]) for one in PRODUCTS]
    return [
        Found(one.key, one.name, one.vendor, why="known only by its files", evidence=" ".join(paths))
        for one, paths in here
        if paths
    ]


def unit_states(text: str) -> dict[str, str]:
    """ActiveState by unit from ``systemctl show``; units that do not exist are left out."""
    states = {}
    for block in re.split(r"\n\s*\n", text):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("LoadState") == "loaded" and values.get("ActiveState") and values.get("Id"):
            states[values["Id"]] = values["ActiveState"]
    return states


def _clamav(asker: Asker) -> Found | None:
    system = asker.system
    here = [path for path in clamav.PROGRAMS if asker.exists(path)]
    header, database = _database(system)
    if not here and (asker.can_list or header is None):
        return None
    units = asker.units(clamav.UNITS)
    processes = _processes(system)
    return clamav.judge(header, database, units, processes, system.wall_ms())


def _database(system: System) -> tuple[str | None, str]:
    """Head of the newest signature file and its path."""
    folder = clamav.DATABASE
    for path in clamav.CONFIGURATIONS:
        try:
            text = system.read_text(path) or ""
        except PermissionError:
            continue
        if named := re.search(r"(?m)^DatabaseDirectory\s+(/\S+)", text):
            folder = named[1].rstrip("/")
    for name in clamav.DATABASES:
        try:
            content = system.read_text(f"{folder}/{name}")
        except PermissionError:
            continue
        if content is not None:
            return content[: clamav.HEADER], f"{folder}/{name}"
    return None, folder


def _processes(system: System) -> frozenset[str] | None:
    """Names of all running programs; None when those of others are hidden from us."""
    names = {}
    for pid in system.list_dir("/proc"):
        if pid.isdigit():
            try:
                names[pid] = (system.read_text(f"/proc/{pid}/comm") or "").strip()
            except PermissionError:
                return None
            except ProcessLookupError:  # it ended while we looked
                continue
    return frozenset(names.values()) if names.get("1") else None


def _eset(asker: Asker) -> Found | None:
    folder = next((one for one in ("/opt/eset/eea", "/opt/eset/efs") if asker.exists(one)), None)
    if asker.can_list and folder is None:
        return None
    try:
        modules = asker.run((f"{folder or '/opt/eset/eea'}/bin/upd", "--list-modules"))
    except CommandMissing:
        if folder is None:
            return None
        modules = "its program upd cannot be started"
    units = asker.units(ESET_UNITS)
    printed = raw(modules.stdout) if isinstance(modules, Output) else modules
    text = modules.stdout if isinstance(modules, Output) else ""
    made_ms = commands.eset_database_ms(text)
    running = any(state == "active" for state in units.values())
    stopped = bool(units) and not running and all(state == "inactive" for state in units.values())
    return Found(
        "eset",
        commands.ESET,
        "ESET",
        False if stopped else None,
        age_days=age_days(asker.system.wall_ms(), made_ms),
        why="its service is stopped" if stopped else "no documented command tells whether it watches",
        evidence=f"{pairs(units, ESET_UNITS)} {commands.eset_line(text) or printed}".strip(),
    )
