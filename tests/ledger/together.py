"""Run something on several threads that start at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def together(count: int, act: Callable[[], object]) -> list[object]:
    """What each of them returned or raised."""
    gate = threading.Barrier(count)

    def run() -> object:
        gate.wait()
        return act()

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run) for _ in range(count)]
        return [future.exception() or future.result() for future in futures]
