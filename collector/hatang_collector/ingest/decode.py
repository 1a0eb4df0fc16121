"""Strict and fast decoding of wire bytes into the shared dataclasses.

The fast decoder only ever says yes. Whatever it does not take goes through the wire's own decoder,
which decides and gives the reason, so that both sides of the wire always agree.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from hatang_agent.wire import codec
from hatang_agent.wire.codec import WireError
from hatang_agent.wire.messages import Beat, Birth, Presence
from hatang_agent.wire.report import SCHEMA, Report

T = TypeVar("T")

RECENT_BYTES: Final = 1024 * 1024
RECENT_LARGEST: Final = 4096

_report: Final = msgspec.json.Decoder(Report)
_small: Final = {kind: msgspec.json.Decoder(kind) for kind in (Beat, Birth, Presence)}


def decode_report(wire: bytes) -> Report:
    """The report in wire bytes, every limit checked. Raises WireError with the wire's own reasons.

    Text that is no Unicode text (half of a surrogate pair, escaped) is refused as ``bad_utf8``:
    nothing behind the journal could store it. Ingest and every projection decode the same bytes within
    a second or two, so the latest small reports are remembered, in bounded memory.
    """
    report = _recent.get(wire)
    if report is None:
        report = _decode_report(wire)
        _recent.put(wire, report)
    return report


class _Recent:
    """The reports decoded last, by their bytes: between one and two times ``RECENT_BYTES`` of these.

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


def _decode_report(wire: bytes) -> Report:
    text = codec.inflate(wire)
    try:
        text.decode()
        report = _report.decode(text)
        if report.schema == SCHEMA:
            return codec.check(report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    except WireError:
        raise
    except ValueError:
        pass  # a number too long to be shown
    return codec.decode(wire)


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
