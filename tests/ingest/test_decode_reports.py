"""The fast decoder and the wire's own agree, and hostile bytes are refused with the right reason."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hatang_agent.wire import codec
from hatang_agent.wire.codec import Refusal, WireError
from hatang_agent.wire.messages import Beat, Birth
from hatang_agent.wire.report import Report
from hatang_collector.ingest import decode
from hatang_collector.ingest.decode import decode_report, decode_small, read_report
from ingest.ingest_support import changed, full_report, report

TEXT = json.dumps(codec.plain(full_report()), ensure_ascii=False).encode()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(1e400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def outcome_of_wire(wire: bytes) -> Report | str:
    """What the standard-library decoder says; its slips count as refusals."""
    try:
        return codec.decode(wire)
    except WireError as error:
        return str(error.reason)
    except OverflowError:
        return "out_of_range"
    except (TypeError, ValueError):
        return "wrong_schema"


def outcome(wire: bytes) -> Report | str:
    """What the collector's decoder says: the report, or the reason."""
    try:
        return decode_report(wire)
    except WireError as error:
        return str(error.reason)


def assert_agree(wire: bytes) -> None:
    """Both decoders give the same report, value for value, or the same reason."""
    ours, theirs = outcome(wire), outcome_of_wire(wire)
    if ours == "bad_utf8" and isinstance(theirs, Report):
        assert b"\\u" in codec.inflate(wire)  # half a surrogate pair: refused here only
        return
    assert ours == theirs
    assert repr(ours) == repr(theirs)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(TEXT)),
)
@example([], len(TEXT))
def test_decoders_agree_on_mutated_bytes(changes: list[tuple[int, int]], cut: int) -> None:
    """Any damage to the text gives the same report or the same refusal on both sides."""
    text = bytearray(TEXT)
    for at, value in changes:
        text[at] = value
    for wire in (bytes(text), bytes(text[:cut]), zlib.compress(bytes(text))):
        assert_agree(wire)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(["runs", 0, "samples", "clock", "facts", "fields", "tags", "error"]), max_size=6
    ),
    st.sampled_from(
        [
            "schema",
            "agent",
            "seq",
            "id",
            "value",
            "boot_ms",
            "status",
            "name",
            "runs",
            "clock",
            "model",
            "interface",
            "message",
            "unchanged",
            "role",
            "predecessor",
            "gaps",
            "new",
        ]
    ),
    VALUES,
)
def test_decoders_agree_on_any_value_anywhere(way: list[str | int], key: str, value: object) -> None:
    """Any JSON value in any place gives the same report or the same refusal on both sides."""
    message = codec.plain(full_report())
    place = message
    for step in way:
        if isinstance(place, list) and isinstance(step, int) and place:
            place = place[-1]
        elif isinstance(place, dict) and step in place:
            place = place[step]
    if isinstance(place, dict):
        place[key] = value
    assert_agree(json.dumps(message).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_decoders_agree_on_noise(wire: bytes) -> None:
    """Bytes that are nothing are refused for the same reason on both sides."""
    assert_agree(wire)
    assert_agree(zlib.compress(wire))


HOSTILE = {
    "not json": (b"hello", Refusal.NOT_JSON),
    "empty": (b"", Refusal.NOT_JSON),
    "a list": (b"[1]", Refusal.WRONG_SCHEMA),
    "wrong schema": (changed(schema=0), Refusal.WRONG_SCHEMA),
    "schema is text": (changed(schema="1"), Refusal.WRONG_SCHEMA),
    "future schema": (changed(schema=2), Refusal.FUTURE_SCHEMA),
    "future schema of another shape": (b'{"schema":9,"everything":"else"}', Refusal.FUTURE_SCHEMA),
    "too large": (b'{"schema":1,' + b" " * codec.MAX_WIRE + b"}", Refusal.TOO_LARGE),
    "NaN": (changed(runs=[]).replace(b'"seq": 1', b'"seq": NaN'), Refusal.NOT_JSON),
    "infinite by exponent": (
        json.dumps(codec.plain(report())).replace("12.5", "1e999").encode(),
        Refusal.OUT_OF_RANGE,
    ),
    "a number of 400 digits": (
        json.dumps(codec.plain(report())).replace("12.5", "9" * 400).encode(),
        Refusal.OUT_OF_RANGE,
    ),
    "a number of 5000 digits": (
        changed(seq=1).replace(b'"seq": 1', b'"seq": ' + b"9" * 5000),
        Refusal.NOT_JSON,
    ),
    "wrong types": (changed(seq="1", runs={}), Refusal.WRONG_SCHEMA),
    "bool for a number": (changed(seq=True), Refusal.WRONG_SCHEMA),
    "a status that is a list": (
        json.dumps(codec.plain(report())).replace('"ok"', '["ok"]').encode(),
        Refusal.WRONG_SCHEMA,
    ),
    "a missing field": (b'{"schema":1}', Refusal.WRONG_SCHEMA),
    "bad UTF-8": (changed(role="pc").replace(b'"pc"', b'"\xff\xfe"'), Refusal.BAD_UTF8),
    "bad UTF-8 in an unknown field": (
        changed(other="pc").replace(b'"other": "pc"', b'"other": "\xff"'),
        Refusal.BAD_UTF8,
    ),
    "half a surrogate pair": (
        json.dumps(codec.plain(full_report())).replace('"\\u0110\\u0129a"', '"\\ud800"').encode(),
        Refusal.BAD_UTF8,
    ),
    "deflate bomb": (zlib.compress(b" " * 30_000_000), Refusal.INFLATES_TOO_LARGE),
    "cut deflate": (codec.encode(full_report())[:-9], Refusal.BAD_DEFLATE),
    "bytes behind deflate": (codec.encode(full_report()) + b"x", Refusal.BAD_DEFLATE),
    "deep": (b'{"schema":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Refusal.NOT_JSON),
    "negative sequence": (changed(seq=-1), Refusal.OUT_OF_RANGE),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_reports(name: str) -> None:
    """Each kind of broken message has its own reason, and never any other exception."""
    wire, reason = HOSTILE[name]
    with pytest.raises(WireError) as caught:
        decode_report(wire)
    assert caught.value.reason == reason


def test_a_million_tags() -> None:
    """A report stuffed with tags is refused, sealed or not, large or larger."""
    plain = codec.plain(full_report())
    plain["runs"][0]["samples"][0]["tags"] = {f"t{n}": "x" for n in range(1_000_000)}
    text = json.dumps(plain).encode()
    assert outcome(text) == "too_large"
    assert outcome(zlib.compress(text, 9)) == "too_large"
    plain["runs"][0]["samples"][0]["tags"] = {f"t{n}": "x" for n in range(100_000)}
    assert outcome(zlib.compress(json.dumps(plain).encode(), 9)) in ("out_of_range", "too_large")


def test_the_latest_reports_are_remembered_and_no_more() -> None:
    """The same bytes give the same object for a while; a flood of others does not pile up."""
    wire = codec.encode(report(1))
    first = read_report(wire)
    assert read_report(bytes(bytearray(wire))) is first
    for seq in range(2, 2_000):
        read_report(changed(seq=seq, role="x" * 32, more="y" * 2_000))
    assert read_report(wire) == first
    assert read_report(wire) is not first
    assert decode._recent._size <= decode.RECENT_BYTES + decode.RECENT_LARGEST
    large = changed(more="y" * 10_000)
    assert read_report(large) is not read_report(large)


def test_unknown_fields_are_ignored() -> None:
    """A newer agent of the same schema may say more."""
    assert decode_report(changed(more={"a": [1]})).seq == 1


def test_small_messages() -> None:
    """Small messages are as strict, and smaller."""
    wire = codec.encode(Beat("0" * 16, 3, 99))
    assert decode_small(Beat, wire) == Beat("0" * 16, 3, 99)
    for bad in (b"", b"{}", b"[]", wire.replace(b"99", b'"99"'), wire.replace(b"99", b"NaN"), b" " * 20_000):
        with pytest.raises(WireError):
            decode_small(Beat, bad)
    with pytest.raises(WireError):
        decode_small(Birth, wire)
