"""The only place the collector reads a clock; everything else is handed ``now_ms``."""

from __future__ import annotations

import time
from collections.abc import Callable

NowMs = Callable[[], int]


def now_ms() -> int:
    """UTC now, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """A clock that never goes back; only differences mean anything."""
    return time.monotonic_ns() // 1_000_000
