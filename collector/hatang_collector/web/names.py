"""The names of agents' measurements and facts that pages show. Nothing else in web/ spells them out.

A name that an agent does not send simply shows as "not measured".
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Series(NamedTuple):
    """A measurement and one of its fields, as in ``usage.cpu_percent``."""

    measurement: str
    field: str


CPU: Final = Series("usage", "cpu_percent")
MEMORY: Final = Series("usage", "memory_percent")
DISK: Final = Series("usage", "disk_percent")
DISK_TAG: Final = "mount"
RX: Final = Series("interfaces", "rx_bps")
TX: Final = Series("interfaces", "tx_bps")
INTERFACE_TAG: Final = "interface"
LOOPBACKS: Final = frozenset({"lo", "lo0"})
UPTIME: Final = Series("system", "uptime_s")

SPARKS: Final = {"cpu": CPU, "memory": MEMORY, "rx": RX, "tx": TX}
"""The small charts of a card by the name of their slot."""

OS_KIND: Final = "os"
OS_FIELDS: Final = ("name", "version")
