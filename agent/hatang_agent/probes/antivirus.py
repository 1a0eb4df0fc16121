"""Antivirus: which products are here, whether one watches, how old its signatures are.

One fact ``antivirus`` for each product, one ``antivirus_summary`` for the machine. States:
``protected`` (it watches files as they are used and its signatures are fresh), ``off``,
``out_of_date``, ``unreadable`` (it could not be found out: the evidence says what was seen) and, in
the summary only, ``absent``, which needs a complete look. One product that protects suffices; that
Defender is off beside another is normal. Whether a product is licensed and paid for is a
declaration of the office and is never inferred here.

Windows: the registration in SecurityCenter2 (its ``productState`` is not documented, so the number
stays in the evidence), corrected for Defender by its own class; a server has no SecurityCenter, so
there Defender's class and the services of known products are all there is, and a product known only
by its service is ``unreadable``, never ``protected``. Linux and macOS: the products' own commands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hatang_agent.probes._antivirus_verdict import (
    MAX_NAME,
    PROTECTED,
    Found,
    Look,
    judge,
    short,
    summarise,
    without,
)
from hatang_agent.registry import Context, Field, Result
from hatang_agent.system import System
from hatang_agent.wire.report import Fact

INTERVAL_S = 900
DEADLINE_S = 60
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "folders /opt, /usr/bin, /usr/sbin and those of the known products: no program is started for a "
        "product whose files are not there; where /usr/bin was not recorded every program is asked",
        "command `mdatp health --output json` (Microsoft Defender)",
        "command `/opt/bitdefender-security-tools/bin/bduitool get ps`, else `bduitool get ps`",
        "command `kesl-control --app-info`, else `/opt/kaspersky/kesl/bin/kesl-control --app-info`",
        "command `/opt/sophos-av/bin/savdstatus`",
        "command `systemctl show --property=Id,LoadState,ActiveState clamav-daemon.service "
        "clamav-clamonacc.service clamonacc.service clamd@scan.service clamav-freshclam.service` (ClamAV)",
        "files /etc/clamav/clamd.conf, /etc/clamd.d/scan.conf, /etc/clamd.conf, "
        "/var/lib/clamav/{daily,main}.{cld,cvd}, /proc/<pid>/comm (ClamAV)",
        "command `systemctl show --property=Id,LoadState,ActiveState eea.service efs.service` (ESET)",
        "command `/opt/eset/eea/bin/upd --list-modules`, `/opt/eset/efs/bin/upd --list-modules`",
    ),
    "windows": (
        "WMI root/SecurityCenter2 AntiVirusProduct",
        "WMI root/Microsoft/Windows/Defender MSFT_MpComputerStatus",
        "WMI root/cimv2 Win32_Service",
        r"keys HKLM\SYSTEM\CurrentControlSet\Services\<name> (Group, Start), "
        r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
        "on a live machine one `powershell.exe` asks the three classes; a recording holds them as classes",
    ),
    "macos": (
        "folders /Applications, /Library/Apple/System/Library/CoreServices (XProtect is named, not counted)",
        "command `mdatp health --output json`, else `/usr/local/bin/mdatp health --output json`",
    ),
}

FIELDS = (
    Field(
        "antivirus.state",
        "Trạng thái: protected, off, out_of_date, unreadable",
        "state: protected, off, out_of_date or unreadable",
        fact=True,
    ),
    Field("antivirus.product", "Tên phần mềm diệt virus", "name of the product", fact=True),
    Field("antivirus.vendor", "Hãng của phần mềm diệt virus", "maker of the product", fact=True),
    Field(
        "antivirus.signature_age_days",
        "Tuổi của mẫu nhận diện, tính bằng ngày",
        "age of its signatures in days",
        "d",
        fact=True,
    ),
    Field(
        "antivirus.evidence",
        "Bằng chứng thô của trạng thái, tối đa 500 ký tự, không có dữ liệu cá nhân",
        "raw evidence of the state, at most 500 characters, nothing personal",
        fact=True,
    ),
    Field(
        "antivirus_summary.state",
        "Trạng thái của cả máy: protected, off, out_of_date, absent, unreadable",
        "state of the machine: protected, off, out_of_date, absent or unreadable",
        fact=True,
    ),
    Field(
        "antivirus_summary.product", "Phần mềm quyết định trạng thái", "the product that decides", fact=True
    ),
    Field("antivirus_summary.why", "Lý do của trạng thái", "reason of the state", fact=True),
)


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.antivirus]."""

    signature_limit_days: int = field(
        default=7,
        metadata={
            "help": "signatures older than so many days are out of date",
            "minimum": 1,
            "maximum": 365,
        },
    )


def measure(context: Context) -> Result:
    """A fact for each product and the summary; never NoData: that nothing was found has a state too."""
    limit = context.config.signature_limit_days
    look = _look(context.system)
    own_name = context.system.host_name()
    facts = [Fact("antivirus", one.key, _fields(one, limit, own_name)) for one in look.found]
    verdict = summarise(look, limit)
    summary = {"state": verdict.state, "product": short(verdict.product, MAX_NAME), "why": verdict.why}
    facts.append(Fact("antivirus_summary", "", {name: text for name, text in summary.items() if text}))
    return Result(facts=facts)


def _fields(found: Found, limit: int, own_name: str) -> dict[str, Any]:
    verdict = judge(found, limit)
    evidence = found.evidence if verdict.state == PROTECTED else f"{verdict.why}: {found.evidence}"
    values = {
        "state": verdict.state,
        "product": short(found.product, MAX_NAME),
        "vendor": found.vendor,
        "signature_age_days": found.age_days,
        "evidence": short(without(own_name, evidence.rstrip(": "))),
    }
    return {name: value for name, value in values.items() if value not in (None, "")}


def _look(system: System) -> Look:
    if system.platform == "linux":
        from hatang_agent.probes import antivirus_linux

        return antivirus_linux.look(system)
    if system.platform == "windows":
        from hatang_agent.probes import antivirus_windows

        return antivirus_windows.look(system)
    from hatang_agent.probes import antivirus_macos

    return antivirus_macos.look(system)
