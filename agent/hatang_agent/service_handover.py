"""How a machine that was installed without a person gets its identity.

The installer leaves address, token and pin where only SYSTEM and administrators read; the service
enrols with them at its first start and erases them. While the collector cannot be reached, it tries
again: a machine may be installed before it is connected.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from hatang_agent.identity import CREDENTIAL_FILE, IdentityError, StateLock, save_credential
from hatang_agent.service_windows import Machine, Stopper
from hatang_agent.system import CommandMissing, CommandTimeout, System
from hatang_agent.wire.messages import EnrolRequest

log = logging.getLogger(__name__)

LOOK_S: Final = 15.0
"""How often a machine without an identity and without a hand-over looks for one."""
FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 3600.0
GIVE_UP_MS: Final = 14 * 86_400_000
"""A token that found no collector for so long is erased."""
_NAMES: Final = {
    "url": "url",
    "token": "token",
    "pin": "pin",
    "label": "label",
    "assetcode": "asset_code",
    "staffgroup": "staff_group",
}
_PASSING: Final = frozenset({408, 429})


@dataclass(frozen=True, slots=True)
class Wish:
    """An enrolment that was handed over: properties of the MSI, or options of install.ps1."""

    url: str
    token: str
    pin: str = ""
    label: str = ""
    asset_code: str = ""
    staff_group: str = ""


class Outcome(StrEnum):
    """What became of a wish."""

    ENROLLED = "enrolled"
    REFUSED = "refused"
    LATER = "later"


def wish_of(values: Mapping[str, str]) -> Wish | None:
    """The wish in what was handed over; None when address or token is missing."""
    found = {name.lower(): value.strip() for name, value in values.items()}
    given = {field: found[name] for name, field in _NAMES.items() if found.get(name)}
    return Wish(**given) if {"url", "token"} <= set(given) else None


def pause_s(attempt: int) -> float:
    """Seconds before enrolment is tried again: a minute, then twice as long each time, at most an hour."""
    return min(FIRST_PAUSE_S * (1 << min(attempt, 10)), LONGEST_PAUSE_S)


def await_identity(machine: Machine, system: System, folder: Path, stopper: Stopper) -> bool:
    """Wait until the folder holds an identity; False when the service is to end before.

    A hand-over is erased once it is used, refused by the collector, not to be understood, or older
    than two weeks. A machine that has an identity keeps it, whatever is handed over. Raises OSError.
    """
    attempt = 0
    while not stopper.wait(0):
        found = machine.handed_over()
        if (folder / CREDENTIAL_FILE).exists():
            if found is not None:
                machine.erase()
            return True
        pause = LOOK_S
        if found is not None:
            values, since_ms = found
            outcome = _tried(values, system, folder)
            if outcome is Outcome.LATER and system.wall_ms() - since_ms > GIVE_UP_MS:
                log.warning("no collector for two weeks: the enrolment token is erased; hand over a new one")
                outcome = Outcome.REFUSED
            if outcome is not Outcome.LATER:
                machine.erase()
            if outcome is Outcome.ENROLLED:
                return True
            if outcome is Outcome.LATER:
                pause = pause_s(attempt)
                attempt += 1
        stopper.wait(pause)
    return False


def _tried(values: Mapping[str, str], system: System, folder: Path) -> Outcome:
    wish = wish_of(values)
    if wish is None:
        log.warning("the installer handed over no address or no token; enrol with hatang-agent enroll")
        return Outcome.REFUSED
    return enrolled(wish, system, folder)


def enrolled(wish: Wish, system: System, folder: Path) -> Outcome:
    """One attempt; what happened is in the log, in one line and without the token."""
    from hatang_agent.enrolment import EnrolmentError, checked_pin, checked_url, enrol

    try:
        url = checked_url(wish.url)
        pin = checked_pin(wish.pin) if wish.pin else ""
    except EnrolmentError as error:
        log.warning("not enrolled, the token is erased: %s", error)
        return Outcome.REFUSED
    try:
        with StateLock(folder):
            reply, credential = enrol(url, _request(wish, system), pin=pin)
            save_credential(folder, credential)
    except IdentityError as error:
        log.warning("not enrolled yet: %s", error)
        return Outcome.LATER
    except EnrolmentError as error:
        if is_final(error):
            log.warning("not enrolled, the token is erased: %s", error)
            return Outcome.REFUSED
        log.warning("not enrolled yet: %s", error)
        return Outcome.LATER
    known = ", recognised by its hardware" if reply.recovered else ""
    log.info("enrolled as %s (%s)%s", reply.agent, reply.role, known)
    return Outcome.ENROLLED


def is_final(error: Exception) -> bool:
    """Whether the collector answered that it will not: the same request would get the same answer."""
    code = getattr(error.__cause__, "code", None)
    return isinstance(code, int) and 400 <= code < 500 and code not in _PASSING


def _request(wish: Wish, system: System) -> EnrolRequest:
    from hatang_agent import __version__
    from hatang_agent.enrolment import request

    try:
        return request(system, wish.token, wish.label, wish.asset_code, wish.staff_group)
    except (CommandMissing, CommandTimeout) as error:
        log.warning("the hardware could not be read (%s); a wiped state will not be recognised", error)
        return EnrolRequest(wish.token, __version__, wish.label, wish.asset_code, {}, wish.staff_group)
