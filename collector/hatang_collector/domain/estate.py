"""Everything people declare: units, sites, links, targets, services, staff and assets, with their history.

Each noun is a frozen row with the period it holds for (:mod:`.dated`). A row is one *version*: an
asset that moved to another unit is two rows with the same code. Texts are Unicode NFC. Codes are
compared as they are; people's spellings are matched by :mod:`.folding` where they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from hatang_collector.domain.dated import BEGINNING


class SuccessionKind(StrEnum):
    """What became of a unit. A move is a new version of the same unit under another parent."""

    MERGE = "merge"
    SPLIT = "split"
    RENAME = "rename"
    MOVE = "move"


class LinkKind(StrEnum):
    """How a site is connected."""

    CPNET = "cpnet"
    WAN = "wan"
    FTTH = "ftth"
    LEASED = "leased"
    LTE = "lte"


class Network(StrEnum):
    """What reaching a target proves."""

    CPNET = "cpnet"
    INTERNET = "internet"
    SERVICE = "service"


class Method(StrEnum):
    """How a target is asked. Never a login, never content."""

    ICMP = "icmp"
    TCP = "tcp"
    HTTP = "http"
    DNS = "dns"


class AssetKind(StrEnum):
    """What an asset is. Machines are computers that count, everything else is a device."""

    DESKTOP = "desktop"
    LAPTOP = "laptop"
    SERVER = "server"
    ROUTER = "router"
    SWITCH = "switch"
    FIREWALL = "firewall"
    AP = "ap"
    MODEM = "modem"
    PRINTER = "printer"
    SCANNER = "scanner"
    PHOTOCOPIER = "photocopier"
    CAMERA = "camera"
    NVR = "nvr"
    NAS = "nas"
    UPS = "ups"
    KIOSK = "kiosk"
    BARCODE_READER = "barcode_reader"
    DISPLAY = "display"
    LED_BOARD = "led_board"
    SURGE_PROTECTOR = "surge_protector"
    MEETING_ROOM = "meeting_room"
    PHONE = "phone"
    OTHER = "other"


MACHINE_KINDS: Final = frozenset({AssetKind.DESKTOP, AssetKind.LAPTOP, AssetKind.SERVER})


class AssetState(StrEnum):
    """How an asset is. Only what is in use counts as equipment of a person."""

    IN_USE = "in_use"
    SPARE = "spare"
    BROKEN = "broken"
    DISPOSED = "disposed"
    LOST = "lost"


class DayKind(StrEnum):
    """How a day differs from the working week of a site."""

    CLOSED = "closed"
    WORKED = "worked"


@dataclass(frozen=True, slots=True)
class Unit:
    """An administrative body. ``kind`` is a label ("xã", "phường", "phòng"), never a level.

    ``code`` is the official code where there is one (QĐ 19/2025/QĐ-TTg: two digits for a province,
    five for a commune, never reissued). ``parent`` is '' for a root. ``position`` is the official
    order (STT) among its siblings.
    """

    code: str
    name: str
    kind: str = ""
    parent: str = ""
    position: int = 0
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Succession:
    """On a day one unit was followed by another; a merger has several rows with one ``new``."""

    old: str
    new: str
    on: date
    kind: SuccessionKind
    document: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A building with a LAN. ``hours`` is a text that :mod:`.hours` reads; '' is the ordinary week."""

    code: str
    name: str
    address: str = ""
    hours: str = ""
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class SiteUnit:
    """A unit works at a site. Several units may share a site, one unit may have several."""

    site: str
    unit: str
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day that differs from the week and the public holidays.

    ``scope`` is '' (everywhere), ``unit:CODE`` (with everything below it) or ``site:CODE``.
    """

    scope: str
    day: date
    kind: DayKind
    name: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """One access line of a site and its contract. Rates in Mbit/s as contracted, None when unknown.

    ``essential``: the site is down without it. ``metered``: every byte costs, so nothing but what
    must. ``beats`` and ``reports``: what the agents may send over it.
    """

    code: str
    site: str
    kind: LinkKind
    provider: str = ""
    down_mbps: float | None = None
    up_mbps: float | None = None
    contract: str = ""
    purpose: str = ""
    essential: bool = True
    metered: bool = False
    beats: bool = True
    reports: bool = True
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A shared program that offices use (văn bản, một cửa, thư điện tử …)."""

    code: str
    name: str
    owner: str = ""
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked to know whether a network or a service is reached, for a unit and all below it.

    ``address``: a host for ``icmp``, ``host:port`` for ``tcp``, an address for ``http``, a name for
    ``dns``. ``service`` names the service when ``network`` is ``service``. ``unit`` '' is everybody.
    """

    code: str
    network: Network
    method: Method
    address: str
    service: str = ""
    unit: str = ""
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class StaffGroup:
    """A group whose computers are counted together, e.g. ``cbcc`` Cán bộ, công chức."""

    code: str
    name: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class StaffCount:
    """How many people of a group a unit has, by number and never by name, from a day on."""

    unit: str
    staff_group: str
    people: int
    document: str = ""
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """One thing in the register of assets. ``year`` is when it was issued, None when nobody knows.

    ``label`` is the name on its sticker, ``serial`` the maker's number; both help to match it with an
    agent. ``staff_group`` is '' for what belongs to no group.
    """

    code: str
    kind: AssetKind
    unit: str
    site: str = ""
    staff_group: str = ""
    label: str = ""
    model: str = ""
    serial: str = ""
    room: str = ""
    year: int | None = None
    state: AssetState = AssetState.IN_USE
    note: str = ""
    valid_from: date = BEGINNING
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a machine stands and whom it serves, from a moment on (UTC milliseconds).

    ``unit`` '' means: the only unit of the site; ``site`` '' means nobody said.
    """

    agent: str
    from_ms: int
    unit: str = ""
    site: str = ""
    staff_group: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Estate:
    """All of it, as it is in the ledger. Equal content is equal."""

    units: tuple[Unit, ...] = ()
    successions: tuple[Succession, ...] = ()
    sites: tuple[Site, ...] = ()
    site_units: tuple[SiteUnit, ...] = ()
    special_days: tuple[SpecialDay, ...] = ()
    links: tuple[Link, ...] = ()
    services: tuple[Service, ...] = ()
    targets: tuple[Target, ...] = ()
    staff_groups: tuple[StaffGroup, ...] = ()
    staff_counts: tuple[StaffCount, ...] = ()
    assets: tuple[Asset, ...] = ()


STAFF_GROUPS: Final = (
    StaffGroup("cbcc", "Cán bộ, công chức", 1),
    StaffGroup("vien_chuc", "Viên chức", 2),
    StaffGroup("ban_chuyen_trach", "Người hoạt động không chuyên trách", 3),
    StaffGroup("chung", "Dùng chung (một cửa, hội trường)", 4),
)
"""The groups a new installation starts with; more are data."""
