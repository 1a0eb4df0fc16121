"""Which machine a fingerprint is of, and which values say nothing because many machines have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MIN_MATCHES: Final = 2

# what makers leave in SMBIOS and what virtual machines share; compared in lower case
GENERIC_VALUES: Final = frozenset(
    {
        "to be filled by o.e.m.", "to be filled by oem", "to be filled", "default string", "default",
        "system serial number", "system product name", "system version", "system manufacturer", "system uuid",
        "base board serial number", "baseboard serial number", "board serial number", "mb-1234567890",
        "chassis serial number", "type2 - board serial number", "serial number", "serial", "asset tag",
        "no asset tag", "no asset information", "asset-1234567890", "not specified", "not applicable",
        "not available", "not settable", "not present", "none", "null", "n/a", "na", "unknown", "undefined",
        "invalid", "empty", "blank", "oem", "o.e.m.", "oem_serial", "tbd", "test", "standard", "generic",
        "123456789", "1234567890", "0123456789", "12345678", "123456789012", "xxxxxxxxxx",
        "qm00001", "qm00002", "qm00003",  # QEMU numbers its disks
        "03000200-0400-0500-0006-000700080009",  # boards sold without a UUID
        "00020003-0004-0005-0006-000700080009",  # the same bytes, read in the other order
        "12345678-1234-5678-90ab-cddeefaabbcc",
        "12345678-1234-1234-1234-123456789abc",
        "feefeefe-efee-feef-eefe-effeefeefeef",
        "44454c4c-0000-1000-8000-000000000000",
    }
)  # fmt: skip
_MAC: Final = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}")
_SEPARATORS: Final = re.compile(r"[\s:._-]+")
_SHORTEST: Final = 4


def identifying(value: str) -> str:
    """The value in one spelling, or an empty text when it says nothing about which machine it is.

    Refused are the values above, repetitions of one character (all zeros, all F), very short ones,
    and locally administered or group MAC addresses (IEEE 802, the two low bits of the first octet).
    """
    text = " ".join(value.lower().split())
    bare = _SEPARATORS.sub("", text)
    if text in GENERIC_VALUES or len(bare) < _SHORTEST or len(set(bare)) == 1:
        return ""
    if _MAC.fullmatch(text) and int(text[:2], 16) & 0b11:
        return ""
    return bare


def common(ours: Mapping[str, str], theirs: Mapping[str, str]) -> int:
    """How many different identifying values two fingerprints share, whatever their names.

    By value, because one serial number is often given under two names and must count once.
    """
    one, other = ({identifying(value) for value in values.values()} - {""} for values in (ours, theirs))
    return len(one & other)


class Doubt(StrEnum):
    """Why hardware that was seen before does not get its old identity back."""

    FEW_VALUES = "few_values"
    OLD_IS_LIVE = "old_identity_live"
    OLD_IS_RETIRED = "old_identity_retired"
    OTHER_ROLE = "other_role"


@dataclass(frozen=True, slots=True)
class Known:
    """A machine of the ledger, as far as a recovery needs it."""

    agent: str
    role: str
    retired: bool
    enrolled_ms: int
    fingerprint: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """The machine whose hardware this most likely is; ``doubt`` None: it is that one."""

    agent: str
    values: int
    doubt: Doubt | None


def recognise(
    fingerprint: Mapping[str, str], known: list[Known], role: str | None, live: Callable[[str], bool]
) -> Match | None:
    """The machine to give back, or the one to name in a finding, or None when nothing matches.

    ``role`` is what the token grants, None when it grants nothing any more. Never by host name.
    """
    matches = [(common(fingerprint, machine.fingerprint), machine) for machine in known]
    best = min(
        ((values, machine) for values, machine in matches if values > 0),
        key=lambda pair: (
            pair[0] < MIN_MATCHES,
            pair[1].retired,
            -pair[0],
            -pair[1].enrolled_ms,
            pair[1].agent,
        ),
        default=None,
    )
    if best is None:
        return None
    values, machine = best
    return Match(machine.agent, values, _doubt(values, machine, role, live))


def _doubt(values: int, machine: Known, role: str | None, live: Callable[[str], bool]) -> Doubt | None:
    if values < MIN_MATCHES:
        return Doubt.FEW_VALUES
    if machine.retired:
        return Doubt.OLD_IS_RETIRED
    if role is not None and role != machine.role:
        return Doubt.OTHER_ROLE
    if live(machine.agent):
        return Doubt.OLD_IS_LIVE
    return None
