"""Entries of the journal, and the frames they lie in on the disk.

A frame is a head of 40 bytes and a body. The head (little-endian) is: magic ``HTJ1``, form of the
body (u8: 0 plain, 1 zlib), part (u8: 0 in the first frame of an append, else above 0), 2 bytes zero,
length of the body (u32), index of the first entry (u64), number of entries (u32), latest arrival in
milliseconds (i64), CRC-32 of the body, CRC-32 of the head before it. The plain body is MessagePack:
a list of (kind, agent, arrived_ms, header, payload).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

MAGIC: Final = b"HTJ1"
MAX_BODY: Final = 256 * 1024 * 1024
FRAME_PAYLOAD: Final = 4 * 1024 * 1024
_PLAIN: Final = 0
_ZLIB: Final = 1
_HEAD: Final = struct.Struct("<4sBB2xIQIqII")
HEAD_SIZE: Final = _HEAD.size
_SAMPLE: Final = 32 * 1024
_WORTH: Final = 0.9

_Row = tuple[str, str, int, dict[str, Any], bytes]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Row])


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something to be journaled. ``payload`` is kept byte for byte; ``header`` holds plain values."""

    kind: str
    agent: str
    arrived_ms: int
    header: Mapping[str, Any]
    payload: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A journaled entry. ``index`` rises by one per entry of its stream and is never used again."""

    index: int
    kind: str
    agent: str
    arrived_ms: int
    header: Mapping[str, Any]
    payload: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a frame, its own checksum seen to be right."""

    form: int
    part: int
    length: int
    first: int
    count: int
    last_arrived_ms: int
    checksum: int

    @property
    def size(self) -> int:
        """Bytes of the whole frame."""
        return HEAD_SIZE + self.length


class BodyDamagedError(ValueError):
    """The body of a frame is not what was written."""


def encode_frames(first: int, entries: Sequence[NewEntry]) -> Iterator[tuple[Head, bytes]]:
    """The frames of consecutive entries, each with about ``FRAME_PAYLOAD`` bytes at most."""
    part: list[NewEntry] = []
    number = size = 0
    for entry in entries:
        if part and size + len(entry.payload) > FRAME_PAYLOAD:
            yield _encode_frame(first, number, part)
            first, number, part, size = first + len(part), number + 1, [], 0
        part.append(entry)
        size += len(entry.payload)
    if part:
        yield _encode_frame(first, number, part)


def _encode_frame(first: int, number: int, entries: Sequence[NewEntry]) -> tuple[Head, bytes]:
    rows = [(one.kind, one.agent, one.arrived_ms, one.header, one.payload) for one in entries]
    body = _encoder.encode(rows)
    form = _PLAIN
    if len(zlib.compress(body[:_SAMPLE], 1)) < _WORTH * len(body[:_SAMPLE]):
        packed = zlib.compress(body, 1)
        if len(packed) < len(body):
            form, body = _ZLIB, packed
    latest = max(one.arrived_ms for one in entries)
    head = Head(form, min(number, 255), len(body), first, len(entries), latest, zlib.crc32(body))
    fields = (MAGIC, form, head.part, head.length, first, head.count, latest, head.checksum)
    unsealed = _HEAD.pack(*fields, 0)[:-4]
    return head, unsealed + zlib.crc32(unsealed).to_bytes(4, "little") + body


def parse_head(content: bytes | memoryview, at: int = 0) -> Head | None:
    """The head at a place, or None when there is none or it is damaged."""
    if len(content) - at < HEAD_SIZE:
        return None
    magic, form, part, length, first, count, latest, checksum, own = _HEAD.unpack_from(content, at)
    if magic != MAGIC or zlib.crc32(content[at : at + HEAD_SIZE - 4]) != own or length > MAX_BODY:
        return None
    return Head(form, part, length, first, count, latest, checksum)


def body_is_whole(head: Head, content: bytes | memoryview, at: int = 0) -> bool:
    """Whether the body behind the head at a place is all there and has its checksum."""
    body = content[at + HEAD_SIZE : at + head.size]
    return len(body) == head.length and zlib.crc32(body) == head.checksum


def decode_body(head: Head, body: bytes) -> list[Entry]:
    """The entries of a frame. Raises BodyDamagedError."""
    if len(body) != head.length or zlib.crc32(body) != head.checksum:
        raise BodyDamagedError("checksum differs")
    try:
        rows = _decoder.decode(zlib.decompress(body) if head.form == _ZLIB else body)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise BodyDamagedError(str(error)) from error
    if len(rows) != head.count:
        raise BodyDamagedError(f"{len(rows)} entries, {head.count} expected")
    return [Entry(head.first + at, *row) for at, row in enumerate(rows)]


def whole_frames(content: bytes, at: int, not_before: int) -> Iterator[tuple[int, Head]]:
    """Whole frames from ``at`` on with entries from ``not_before`` on, whatever lies between them."""
    while (at := content.find(MAGIC, at)) >= 0:
        head = parse_head(content, at)
        if head is not None and head.first >= not_before and body_is_whole(head, content, at):
            yield at, head
            at, not_before = at + head.size, head.first + head.count
        else:
            at += 1
