"""Strict and fast decoding of wire bytes into the shared dataclasses.

The fast decoder only ever says yes. Whatever it does not take goes through the wire's own decoder,
which decides and gives the reason, so that both sides of the wire always agree.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from hatang_agent.wire import codec
from hatang_agent.wire.messages import Beat, Birth, Presence
from hatang_agent.wire.report import SCHEMA, Report

T = TypeVar("T")

RECENT_BYTES: Final = 1024 * 1024
RECENT_LARGEST: Final = 4096

_report: Final = msgspec.json.Decoder(Report)
_small: Final = {kind: msgspec.json.Decoder(kind) for kind in (Beat, Birth, Presence)}


def decode_report(wire: bytes) -> Report:
    """The report in wire bytes that came from outside, every limit checked.

    Raises WireError with the wire's own reasons.
    """
    text = codec.inflate(wire)
    try:
        text.decode()
        report = _report.decode(text)
        if report.schema == SCHEMA:
            return codec.check(report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return codec.decode(wire)


def read_report(wire: bytes) -> Report:
    """The report in bytes from our own journal, whose limits were checked before they got there.

    The projections read the same batch one after the other, so the latest small reports are
    remembered, in bounded memory. Raises WireError.
    """
    report = _recent.get(wire)
    if report is None:
        try:
            report = _report.decode(codec.inflate(wire))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            report = codec.decode(wire)
        _recent.put(wire, report)
    return report


class _Recent:
    """The reports read last, by their bytes: between one and two times ``RECENT_BYTES`` of these.

    Safe without a lock: a lookup or a swap that is missed only costs another decoding.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, Report] = {}
        self._old: dict[bytes, Report] = {}
        self._size = 0

    def get(self, wire: bytes) -> Report | None:
        return self._young.get(wire) or self._old.get(wire)

    def put(self, wire: bytes, report: Report) -> None:
        if len(wire) > RECENT_LARGEST:
            return
        if self._size > RECENT_BYTES:
            self._old, self._young, self._size = self._young, {}, 0
        self._young[wire] = report
        self._size += len(wire)


_recent: Final = _Recent()


def decode_small(kind: type[T], wire: bytes) -> T:
    """A Beat, Birth or Presence in wire bytes. Raises WireError."""
    text = codec.inflate(wire, codec.MAX_SMALL)
    try:
        text.decode()
        decoder: Any = _small[kind]  # type: ignore[index]
        message: T = decoder.decode(text)
        return message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return codec.decode_small(kind, wire)
