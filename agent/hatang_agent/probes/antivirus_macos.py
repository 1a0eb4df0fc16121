"""Antivirus on macOS: Defender by its command, other known products by their folder only.

XProtect is part of the system, tells nothing of its state and is therefore named, not counted.
Never run on a real Mac yet; the reader of Defender's answer runs on recorded ones.
"""

from __future__ import annotations

from hatang_agent.probes import _antivirus_mdatp as mdatp
from hatang_agent.probes._antivirus_products import DEFENDER, by_name
from hatang_agent.probes._antivirus_verdict import Found, Look
from hatang_agent.system import CommandMissing, CommandTimeout, System

APPLICATIONS = "/Applications"
BUILT_IN = "/Library/Apple/System/Library/CoreServices"
COMMANDS = (mdatp.MDATP, ("/usr/local/bin/mdatp", *mdatp.MDATP[1:]))  # a service's PATH lacks the folder
TIMEOUT_S = 20.0


def look(system: System) -> Look:
    """Every known product that is here."""
    applications = system.list_dir(APPLICATIONS)
    found = {}
    for name in applications:
        product = by_name(name)
        if product is not None:
            title = name.removesuffix(".app")
            found[product.key] = Found(
                product.key,
                title,
                product.vendor,
                why="known only by its folder",
                evidence=f"{APPLICATIONS}/{name}",
            )
    if DEFENDER.key in found or not applications:
        found.update(_defender(system, here=DEFENDER.key in found))
    note = "XProtect is built in and not counted" if "XProtect.bundle" in system.list_dir(BUILT_IN) else ""
    gaps = () if applications else (f"{APPLICATIONS} cannot be listed",)
    return Look(tuple(found.values()), gaps, note)


def _defender(system: System, *, here: bool) -> dict[str, Found]:
    for argv in COMMANDS:
        try:
            output = system.run(argv, TIMEOUT_S)
        except CommandMissing:
            continue
        except CommandTimeout:
            why = f"{argv[0]} did not answer within {TIMEOUT_S:g} s"
            return {mdatp.KEY: Found(mdatp.KEY, mdatp.PRODUCT, mdatp.VENDOR, why=why)}
        return {mdatp.KEY: mdatp.parse(output, system.wall_ms())}
    if not here:
        return {}
    why = "its folder is here, its program mdatp cannot be started"
    return {mdatp.KEY: Found(mdatp.KEY, mdatp.PRODUCT, mdatp.VENDOR, why=why)}
