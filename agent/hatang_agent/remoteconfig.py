"""Signed configuration from the collector: what is believed, kept and refused.

A configuration counts only when its HMAC was made for this agent with its own key and its number is
higher than that of the one in force: neither a stranger on the broker nor an old copy steers us.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from hatang_agent.identity import write_durably
from hatang_agent.wire import codec
from hatang_agent.wire.messages import SignedConfig

log = logging.getLogger(__name__)

FILE_NAME: Final = "remote-config.json"


class State(StrEnum):
    """What became of a configuration."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one configuration; ``reason`` is empty unless it was refused."""

    state: State
    number: int
    reason: str = ""
    content: Mapping[str, Any] | None = None


def judge(payload: bytes, agent: str, key: bytes, current: SignedConfig | None) -> Verdict:
    """Decide on the bytes of a received configuration; content is not yet checked against settings."""
    in_force = current.number if current is not None else 0
    if not payload:  # the collector took its retained message back
        return Verdict(State.UNCHANGED, in_force)
    try:
        found = codec.decode_small(SignedConfig, payload)
        genuine = codec.genuine(key, agent, found)
    except (codec.WireError, ValueError) as error:
        return Verdict(State.REFUSED, 0, f"not a configuration: {error}"[:200])
    if not genuine:
        return Verdict(State.REFUSED, found.number, "its signature is not for this agent")
    if current is not None and found.number == current.number and found.content == current.content:
        return Verdict(State.UNCHANGED, in_force)
    if found.number <= in_force:
        return Verdict(State.REFUSED, found.number, f"not newer than number {in_force}, which is in force")
    return Verdict(State.ACCEPTED, found.number, "", found.content)


class KeptConfig:
    """The configuration in force, in the state folder."""

    def __init__(self, folder: Path, agent: str, key: bytes) -> None:
        self._path = folder / FILE_NAME
        self._agent = agent
        self._key = key
        self.current = self._load()

    def judge(self, payload: bytes) -> Verdict:
        """Decide on received bytes."""
        return judge(payload, self._agent, self._key, self.current)

    def keep(self, payload: bytes) -> None:
        """Put a configuration that was accepted in force; durable unless the disk refuses."""
        self.current = codec.decode_small(SignedConfig, payload)
        try:
            write_durably(self._path, payload)
        except OSError as error:
            log.warning(
                "%s: cannot be written (%s); the configuration holds until the agent stops",
                self._path,
                error.strerror,
            )

    def _load(self) -> SignedConfig | None:
        try:
            payload = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s: cannot be read (%s); going on without it", self._path, error.strerror)
            return None
        verdict = judge(payload, self._agent, self._key, None)
        if verdict.state is not State.ACCEPTED:
            log.warning("%s: %s; going on without it", self._path, verdict.reason or "empty")
            return None
        return codec.decode_small(SignedConfig, payload)
