"""Antivirus products by the traces they leave: registered names, services, drivers, folders.

Data, with where each row is from. Patterns are matched against the whole name, in any case, except
``names``, which is searched for. A trace proves that a product is installed, never that it works.

Sources: [W] "Allocated filter altitudes", Microsoft Learn, group FSFilter Anti-Virus (driver names
with their companies); [V] the maker's own installation or administration guide; [P] process and
service lists that several public inventories agree on; [U] not published: the maker's own prefix,
to be confirmed on a real machine. A name matched wrongly by [U] costs "unreadable", nothing more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One row: patterns are regular expressions; ``services`` are those that do the protecting."""

    key: str
    vendor: str
    name: str
    names: str
    services: str = ""
    drivers: str = ""
    folders: tuple[str, ...] = ()
    source: str = ""


DEFENDER = Product(
    "microsoft_defender",
    "Microsoft",
    "Microsoft Defender",
    r"(windows|microsoft) defender",
    r"windefend",
    r"wdfilter",
    source="[W]",
)

PRODUCTS: tuple[Product, ...] = (
    DEFENDER,
    Product(
        "microsoft_security_essentials",
        "Microsoft",
        "Microsoft Security Essentials",
        r"security essentials|(system center|forefront) endpoint protection",
        r"msmpsvc",
        r"mpfilter",
        source="[W] [V]",
    ),
    Product(
        "kaspersky",
        "Kaspersky",
        "Kaspersky",
        r"kaspersky",
        r"avp([.\d].*)?|kavfs\w*",
        r"klif.*|klbackupflt",
        ("/opt/kaspersky/kesl", "/opt/kaspersky/kfl"),
        source="[V] Kaspersky Endpoint Security help",
    ),
    Product(
        "symantec",
        "Broadcom",
        "Symantec Endpoint Protection",
        r"symantec|norton",
        r"sepmasterservice|norton ?(security|antivirus|360)?|n360",
        r"srtsp.*|eectrl.*",
        ("/opt/Symantec", "/usr/lib/symantec"),
        source="[W] [V]",
    ),
    Product(
        "eset",
        "ESET",
        "ESET",
        r"\beset\b|nod32",
        r"ekrn",
        r"eamonm?",
        ("/opt/eset/eea", "/opt/eset/efs"),
        source="[W] [V] ESET online help, file and folder structure",
    ),
    Product(
        "bitdefender",
        "Bitdefender",
        "Bitdefender",
        r"bitdefender",
        r"epsecurityservice|epprotectedservice|vsserv",
        r"trufos|gzflt|vlflt|bddevflt",
        ("/opt/bitdefender-security-tools", "/opt/BitDefender"),
        source="[V] GravityZone installation guide",
    ),
    Product(
        "trend_micro",
        "Trend Micro",
        "Trend Micro",
        r"trend ?micro|apex one|officescan|worry-free",
        r"ntrtscan|ds_agent|amsp",
        r"tmpreflt|tmxpflt|tmevtmgr|tmesflt|fileflt",
        ("/opt/ds_agent", "/opt/TrendMicro"),
        source="[W] [V]",
    ),
    Product(
        "trellix",
        "Trellix (McAfee)",
        "Trellix Endpoint Security",
        r"mcafee|trellix",
        r"mcshield|mfetp|mfemms",
        r"mfehidk|mfeavfk|mfeaack",
        ("/opt/McAfee/ens", "/opt/trellix/ens"),
        source="[V] Endpoint Security installation guide",
    ),
    Product(
        "sophos",
        "Sophos",
        "Sophos",
        r"sophos",
        r"savservice|sophos (endpoint defense|file scanner) service",
        r"savonaccess|sophosed",
        ("/opt/sophos-av", "/opt/sophos-spl"),
        source="[V] Sophos Anti-Virus for Linux configuration guide",
    ),
    Product(
        "bkav",
        "Bkav",
        "Bkav",
        r"\bbkav\b",
        r"bkav(pro|home|system|endpoint|av)?service.*",  # not BkavCA…: that signs documents
        r"bkav.*flt.*|bkavsdflt",
        source="[W] BkavSdFlt.sys; [P] BkavService",
    ),
    Product(
        "cmc",
        "CMC Cyber Security",
        "CMC Antivirus",
        r"\bcmc\b.*(virus|security|endpoint|defen[cs]e|malware)",
        r"cmc(av|core|antivirus|internetsecurity|endpoint|cis|ces)\w*",
        r"cmc(av|flt|core|fs)\w*",
        source="[U]",
    ),
    Product(
        "viettel_endpoint",
        "Viettel Cyber Security",
        "Viettel Endpoint Security",
        r"viettel|\bajiant\b",
        r"viettel.*(endpoint|security|antivirus).*|vcs.*ajiant.*|ajiant.*",
        r"viettel.*|ajiant.*",
        source="[U]",
    ),
    Product(
        "panda",
        "WatchGuard (Panda)",
        "Panda",
        r"\bpanda\b|watchguard",
        r"nanoservicemain|psuaservice",
        r"psinfile|psinproc|nanoavmf",
        source="[W] [P]",
    ),
    Product(
        "avast",
        "Gen Digital (Avast)",
        "Avast",
        r"avast",
        r"avast!? antivirus",
        r"aswmonflt|aswsp",
        source="[W] [P]",
    ),
    Product(
        "avg",
        "Gen Digital (AVG)",
        "AVG",
        r"\bavg\b",
        r"avg antivirus|avgsvc",
        r"avgmf.*|avgmonflt",
        source="[W] [P]",
    ),
    Product(
        "avira",
        "Gen Digital (Avira)",
        "Avira",
        r"avira",
        r"antivirservice|avira.*protection.*",
        r"avgntflt",
        source="[P]",
    ),
    Product(
        "withsecure",
        "WithSecure (F-Secure)",
        "WithSecure",
        r"f-?secure|withsecure",
        r"fshoster|fsulhoster|f-secure ultralight.*",
        r"fsgk|fsatp",
        ("/opt/f-secure",),
        source="[P]",
    ),
    Product(
        "malwarebytes",
        "Malwarebytes",
        "Malwarebytes",
        r"malwarebytes",
        r"mbamservice",
        r"mbam",
        source="[W] [P]",
    ),
    Product(
        "fortinet",
        "Fortinet",
        "FortiClient",
        r"forticlient|fortiedr",
        r"fortiedr.*collector.*",  # FA_Scheduler also runs where only the VPN is installed
        r"fortimon2|fortishield|fortiaptfilter",
        source="[W]",
    ),
    Product(
        "qihoo_360",
        "Qihoo 360",
        "360 Total Security",
        r"\b360\b.*(security|safe|virus)",
        r"qhactivedefense|zhudongfangyu",
        r"360avflt|360qpesv",
        source="[W] [P]",
    ),
    Product(
        "drweb",
        "Doctor Web",
        "Dr.Web",
        r"dr\.?\s?web",
        r"drwebavservice",
        r"spiderg3",
        ("/opt/drweb.com",),
        source="[V]",
    ),
    Product(
        "sentinelone",
        "SentinelOne",
        "SentinelOne",
        r"sentinel ?(one|agent)",
        r"sentinelagent",
        r"sentinelmonitor",
        ("/opt/sentinelone",),
        source="[P]",
    ),
    Product(
        "crowdstrike",
        "CrowdStrike",
        "CrowdStrike Falcon",
        r"crowdstrike",
        r"csfalconservice",
        r"csagent",
        ("/opt/CrowdStrike",),
        source="[P]",
    ),
    Product(
        "cortex_xdr",
        "Palo Alto Networks",
        "Cortex XDR",
        r"cortex xdr",
        r"cyserver",
        r"cyvrfsfd",
        ("/opt/traps",),
        source="[P]",
    ),
)

NO_ANTIVIRUS_DRIVERS = re.compile(r"wdfilter|mpfilter|vsepflt|vfilefilter|easyanticheat", re.IGNORECASE)
"""In the group FSFilter Anti-Virus, and yet no product of its own: Defender's two, which have their
own class, VMware's tools, a guard of games."""


def by_name(name: str) -> Product | None:
    """The product that registers under such a name."""
    return next((one for one in PRODUCTS if re.search(one.names, name, re.IGNORECASE)), None)


def by_service(name: str) -> Product | None:
    """The product whose protecting service has this name."""
    return next((one for one in PRODUCTS if _whole(one.services, name)), None)


def by_driver(name: str) -> Product | None:
    """The product whose file system filter has this name."""
    return next((one for one in PRODUCTS if _whole(one.drivers, name)), None)


def _whole(pattern: str, name: str) -> bool:
    return bool(pattern) and re.fullmatch(pattern, name, re.IGNORECASE) is not None
