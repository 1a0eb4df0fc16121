"""The clocks that an engine is handed; :mod:`hatang_agent.system_network` and the collector have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Clocks:
    """``steady_ns`` never goes back; ``wall_ns`` is UTC since the Unix epoch, as kernels stamp packets."""

    steady_ns: Callable[[], int]
    wall_ns: Callable[[], int]

    def deadline_ns(self, seconds: float) -> int:
        """The steady instant so many seconds from now."""
        return self.steady_ns() + int(seconds * 1_000_000_000)

    def left_s(self, deadline_ns: int) -> float:
        """Seconds until a steady instant, never below zero."""
        return max(0, deadline_ns - self.steady_ns()) / 1_000_000_000

    def since_ms(self, began_ns: int) -> float:
        """Milliseconds since a steady instant."""
        return (self.steady_ns() - began_ns) / NS_PER_MS
