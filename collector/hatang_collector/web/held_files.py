"""Uploaded files between the preview and the yes: in memory, few, and not for long."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hatang_collector.sheets.files import Source

MOST: Final = 4
KEPT_MS: Final = 30 * 60_000


@dataclass(frozen=True, slots=True)
class Held:
    """Files that somebody uploaded. ``promise`` stands for what the preview said they would change."""

    owner: str
    sources: Sequence[Source]
    promise: str
    at_ms: int


class HeldFiles:
    """Keeps the newest few uploads. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}

    def put(self, held: Held) -> str:
        """Keep files; the name to ask for them. What is too old goes, and the oldest makes room."""
        name = secrets.token_hex(8)
        with self._lock:
            self._drop_old(held.at_ms)
            self._held[name] = held
            while len(self._held) > MOST:
                del self._held[next(iter(self._held))]
        return name

    def get(self, name: str, owner: str, now_ms: int) -> Held | None:
        """What was kept under a name; None when it is gone or another's."""
        with self._lock:
            self._drop_old(now_ms)
            held = self._held.get(name)
        return held if held is not None and held.owner == owner else None

    def drop(self, name: str) -> None:
        """Forget files; a name that is gone already is no error."""
        with self._lock:
            self._held.pop(name, None)

    def _drop_old(self, now_ms: int) -> None:
        self._held = {name: one for name, one in self._held.items() if now_ms - one.at_ms <= KEPT_MS}
