"""The line a person runs on a new machine, and where it sends the machine.

The line carries everything that is needed: the address, the enrolment token, and the *pin*, by which
the machine knows our certificate authority before it has told anybody anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from hatang_collector import __version__
from hatang_collector.broker.addresses import certificate_names, told_host, url_of
from hatang_collector.broker.certificates import Authority, fingerprint
from hatang_collector.config import BrokerMode, Settings

KEYS: Final = "keys"
"""Folder of the authority in the data folder."""
PIN_DIGITS: Final = 32
"""Hex digits of the authority's SHA-256 that a line carries: 128 bits, nobody makes a second one."""


class Lines(TypedDict):
    """One line for each system, run in a terminal with the rights of an administrator."""

    linux: str
    windows: str


@dataclass(frozen=True, slots=True)
class EnrolOffer:
    """Where a new machine enrols: an address without a path, and the pin of its authority.

    ``pin`` is '' where the address is that of the pages: their certificate is not ours to vouch for.
    """

    url: str
    pin: str = ""


def enrol_url(settings: Settings) -> str:
    """The address where new machines enrol: that of the listener for them, else that of the pages."""
    if settings.enrol_listener is None:
        return settings.url
    host, port = settings.enrol_listener
    return url_of("https", told_host(host, settings.broker.names), port)


def offer_of(settings: Settings, data_dir: Path, now_ms: int) -> EnrolOffer:
    """Where new machines enrol at a collector with these settings, whether it runs or not.

    Makes the authority when there is none yet. Raises BrokerError.
    """
    if settings.enrol_listener is None:
        return EnrolOffer(settings.url)
    pin = fingerprint(Authority(data_dir / KEYS).ca_pem(now_ms))[:PIN_DIGITS]
    return EnrolOffer(enrol_url(settings), pin)


def served_names(settings: Settings) -> tuple[str, ...]:
    """Names and addresses in the certificate that broker and enrolment show."""
    hosts = [settings.broker.host] if settings.broker.mode is BrokerMode.EMBEDDED else []
    if settings.enrol_listener is not None:
        hosts.append(settings.enrol_listener[0])
    return certificate_names(hosts, settings.broker.names)


def lines_to_run(url: str, token: str, pin: str, role: str) -> Lines:
    """The line for each system; a site probe (``role`` "probe") runs Linux and has no line for Windows.

    On Windows it installs the agent too, silently; the machine enrols at the service's first start.
    """
    pinned = f" --pin {pin}" if pin else ""
    installed = f" PIN={pin}" if pin else ""
    windows = f"msiexec /i hatang-agent-{__version__}-x64.msi /qn URL={url}{installed} TOKEN={token}"
    return {
        "linux": f"hatang-agent enroll --url {url}{pinned} --token {token}",
        "windows": "" if role == "probe" else windows,
    }


def for_group(lines: Lines, staff_group: str) -> Lines:
    """The lines for machines of one staff group."""
    windows = lines["windows"]
    return {
        "linux": f"{lines['linux']} --staff-group {staff_group}",
        "windows": f"{windows} STAFFGROUP={staff_group}" if windows else "",
    }
