"""Bytes of the messages: canonical JSON, deflated (RFC 1950) above a size, with hard limits.

The first byte tells the form: ``{`` is JSON, ``x`` (0x78) is a zlib stream of JSON. The decoder
here needs the standard library only, so that evidence can be verified without the collector; the
collector decodes the same bytes into the same dataclasses with a faster library, then applies the
same :func:`check`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import hmac
import json
import math
import re
import types
import typing
import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from hatang_agent.wire import topics
from hatang_agent.wire.messages import SignedConfig
from hatang_agent.wire.report import SCHEMA, Clock, Fact, Report, Run, Sample

MAX_WIRE: Final = 256 * 1024
MAX_INFLATED: Final = 4 * 1024 * 1024
MAX_SMALL: Final = 16 * 1024
MAX_RUNS: Final = 2_000
MAX_SAMPLES: Final = 20_000
MAX_FACTS: Final = 10_000
MAX_TAGS: Final = 16
MAX_FIELDS: Final = 64
MAX_NAME: Final = 128
MAX_TEXT: Final = 4_096
MAX_TIME_MS: Final = 1 << 53
DEFLATE_ABOVE: Final = 400

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")
_EPOCH: Final = re.compile(r"[0-9a-f]{16}")
_RUN_ID: Final = re.compile(r"[0-9a-f]{16}-[1-9][0-9]{0,17}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


class Refusal(StrEnum):
    """Why bytes cannot be taken; stored with a dead letter and told to the sender."""

    TOO_LARGE = "too_large"
    BAD_DEFLATE = "bad_deflate"
    INFLATES_TOO_LARGE = "inflates_too_large"
    BAD_UTF8 = "bad_utf8"
    NOT_JSON = "not_json"
    FUTURE_SCHEMA = "future_schema"
    WRONG_SCHEMA = "wrong_schema"
    OUT_OF_RANGE = "out_of_range"
    OTHER_AGENT = "other_agent"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_AGENT = "unknown_agent"


class WireError(ValueError):
    """Bytes that are not a valid message. ``reason`` is for programs, ``detail`` for people."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def digest(wire: bytes) -> str:
    """Identity of a sealed report: SHA-256 of its wire bytes, in hexadecimal."""
    return hashlib.sha256(wire).hexdigest()


def plain(value: object) -> Any:
    """A dataclass as JSON-ready values; fields equal to their default are left out."""
    if isinstance(value, StrEnum):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {}
        for item in dataclasses.fields(value):
            content = getattr(value, item.name)
            if item.default is not dataclasses.MISSING and content == item.default:
                continue
            if item.default_factory is not dataclasses.MISSING and content == item.default_factory():
                continue
            shown[item.name] = plain(content)
        return shown
    if isinstance(value, Mapping):
        return {str(key): plain(content) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(content) for content in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_TIME_MS:
        return int(value)
    return value


def canonical(value: object) -> bytes:
    """Canonical JSON of plain values: sorted keys, no spaces, UTF-8, no NaN."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def encode(message: object) -> bytes:
    """Wire bytes of a message. Raises ValueError on a number that JSON cannot carry."""
    text = canonical(plain(message))
    if len(text) <= DEFLATE_ABOVE:
        return text
    packed = zlib.compress(text, 9)
    return packed if len(packed) < len(text) else text


def inflate(wire: bytes, limit: int = MAX_WIRE) -> bytes:
    """JSON bytes of a wire message, within the limits; a deflate bomb stops at the limit."""
    if len(wire) > limit:
        raise WireError(Refusal.TOO_LARGE, f"{len(wire)} bytes, at most {limit}")
    if wire[:1] != b"x":
        return wire
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(wire, MAX_INFLATED + 1)
    except zlib.error as error:
        raise WireError(Refusal.BAD_DEFLATE, str(error)) from error
    if len(text) > MAX_INFLATED:
        raise WireError(Refusal.INFLATES_TOO_LARGE, f"more than {MAX_INFLATED} bytes")
    if not stream.eof or stream.unused_data:
        raise WireError(Refusal.BAD_DEFLATE, "truncated stream or bytes behind it")
    return text


def decode(wire: bytes) -> Report:
    """The report in wire bytes, checked. Raises WireError; needs the standard library only."""
    values = _json(inflate(wire))
    refuse_other_schema(values.get("schema") if isinstance(values, dict) else None)
    return check(_build(Report, values, "report"))


def decode_small(kind: type[T], wire: bytes) -> T:
    """One of the small messages in wire bytes. Raises WireError."""
    message: T = _build(kind, _json(inflate(wire, MAX_SMALL)), kind.__name__)
    return message


def refuse_other_schema(schema: object) -> None:
    """Tell a message of a newer program from a broken one, before its fields are looked at."""
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        raise WireError(Refusal.FUTURE_SCHEMA, f"schema {schema}, this program knows {SCHEMA}")
    if schema != SCHEMA or isinstance(schema, bool):
        raise WireError(Refusal.WRONG_SCHEMA, f"schema {schema!r}, expected {SCHEMA}")


def check(report: Report) -> Report:
    """The report itself when every value is within the documented limits, else WireError."""
    _need(topics.AGENT_PATTERN.fullmatch(report.agent), "agent", report.agent)
    _need(_EPOCH.fullmatch(report.epoch), "epoch", report.epoch)
    _need(0 < report.seq <= MAX_TIME_MS, "seq", report.seq)
    _need(0 < len(report.role) <= 32 and len(report.version) <= 64, "role or version", report.role)
    _check_clock(report.clock)
    if (before := report.predecessor) is not None:
        _need(_EPOCH.fullmatch(before.epoch), "predecessor.epoch", before.epoch)
        _need(_DIGEST.fullmatch(before.digest), "predecessor.digest", before.digest)
        _need(0 < before.seq <= MAX_TIME_MS, "predecessor.seq", before.seq)
    _need(len(report.runs) <= MAX_RUNS, "number of runs", len(report.runs))
    _need(len(report.gaps) <= MAX_RUNS, "number of gaps", len(report.gaps))
    _need(sum(len(run.samples) for run in report.runs) <= MAX_SAMPLES, "number of samples", "")
    _need(sum(len(run.facts) for run in report.runs) <= MAX_FACTS, "number of facts", "")
    for gap in report.gaps:
        _need(_WORD.fullmatch(gap.probe) and 0 < gap.runs <= MAX_TIME_MS, "gap", gap.probe)
        _need(0 <= gap.from_wall_ms <= gap.to_wall_ms <= MAX_TIME_MS, "gap time", gap.from_wall_ms)
        _need(len(gap.reason) <= MAX_NAME, "gap.reason", gap.reason)
    for run in report.runs:
        _check_run(run)
    return report


def _check_clock(clock: Clock) -> None:
    if 0 <= clock.wall_ms <= MAX_TIME_MS and 0 <= clock.boot_ms <= MAX_TIME_MS and len(clock.boot_id) <= 64:
        return
    raise WireError(Refusal.OUT_OF_RANGE, f"clock: {str(clock)[:80]}")


def _check_run(run: Run) -> None:
    _need(_RUN_ID.fullmatch(run.id), "run.id", run.id)
    _need(_WORD.fullmatch(run.probe) and len(run.probe) <= 64, "run.probe", run.probe)
    _need(0 <= run.took_ms <= MAX_TIME_MS, "run.took_ms", run.took_ms)
    _need(not run.facts_digest or _DIGEST.fullmatch(run.facts_digest), "facts_digest", "")
    _check_clock(run.clock)
    if run.error is not None:
        _need(len(run.error.message) <= MAX_TEXT and len(run.error.hint) <= MAX_TEXT, "error", "")
    # The loop over samples is the costliest part of taking a report in: nothing is built unless it is wrong.
    for sample in run.samples:
        if not (_is_sample_name(sample.name) and math.isfinite(sample.value) and len(sample.unit) <= 16):
            shown = f"{sample.name[:80]!r} {sample.value!r} {sample.unit[:20]!r}"
            raise WireError(Refusal.OUT_OF_RANGE, f"sample: {shown}")
        if sample.tags:
            _check_tags(sample)
    for fact in run.facts:
        _check_fact(fact)


def _check_tags(sample: Sample) -> None:
    _need(len(sample.tags) <= MAX_TAGS, f"tags of {sample.name}", len(sample.tags))
    for key, text in sample.tags.items():
        if not _is_tag(key, text):
            raise WireError(Refusal.OUT_OF_RANGE, f"tag of {sample.name}: {key[:80]!r}")


def _check_fact(fact: Fact) -> None:
    _need(_WORD.fullmatch(fact.kind) and len(fact.kind) <= 64, "fact.kind", fact.kind)
    _need(len(fact.key) <= MAX_NAME and len(fact.fields) <= MAX_FIELDS, "fact", fact.kind)
    for key, content in fact.fields.items():
        _need(_WORD.fullmatch(key), f"field of {fact.kind}", key)
        if isinstance(content, str):
            _need(len(content) <= MAX_TEXT, f"{fact.kind}.{key}", "text too long")
        elif isinstance(content, (int, float)):
            _need(abs(content) <= MAX_TIME_MS * 1024, f"{fact.kind}.{key}", content)


def sign(key: bytes, agent: str, number: int, content: Mapping[str, Any]) -> SignedConfig:
    """Configuration signed for one agent with HMAC-SHA256 under its own key."""
    return SignedConfig(number, dict(content), _mac(key, agent, number, content))


def genuine(key: bytes, agent: str, config: SignedConfig) -> bool:
    """Whether a configuration was signed for this agent; the caller checks that the number rose."""
    return hmac.compare_digest(_mac(key, agent, config.number, config.content), config.hmac)


def _mac(key: bytes, agent: str, number: int, content: Mapping[str, Any]) -> str:
    text = canonical([agent, number, plain(content)])
    return hmac.new(key, text, hashlib.sha256).hexdigest()


@functools.lru_cache(4096)
def _is_sample_name(name: str) -> bool:
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


@functools.lru_cache(4096)
def _is_tag(key: str, text: str) -> bool:
    return _WORD.fullmatch(key) is not None and 0 < len(text) <= MAX_NAME and text.isprintable()


def _need(condition: object, what: str, found: object) -> None:
    if not condition:
        raise WireError(Refusal.OUT_OF_RANGE, f"{what}: {str(found)[:80]!r}")


def _json(text: bytes) -> Any:
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise WireError(Refusal.BAD_UTF8, str(error)) from error
    try:
        values = json.loads(decoded, parse_constant=_no_constant)
        if _SURROGATE.search(decoded):
            json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except WireError:
        raise
    except UnicodeEncodeError as error:
        raise WireError(Refusal.BAD_UTF8, "half of a surrogate pair") from error
    except (ValueError, RecursionError) as error:
        raise WireError(Refusal.NOT_JSON, str(error)[:200]) from error
    return values


def _no_constant(name: str) -> float:
    raise WireError(Refusal.NOT_JSON, f"{name} is not JSON")


def _wrong(place: str, expected: str, found: object) -> WireError:
    return WireError(Refusal.WRONG_SCHEMA, f"{place}: expected {expected}, found {type(found).__name__}")


def _build(kind: Any, value: Any, place: str) -> Any:
    """A value of the annotated type ``kind`` from JSON, strictly; WireError names the place."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _build_union(typing.get_args(kind), value, place)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _build_dataclass(kind, value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(place, "a list", value)
        (item, _) = typing.get_args(kind)
        return tuple(_build(item, content, f"{place}[{at}]") for at, content in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _wrong(place, "an object", value)
        (_, content_kind) = typing.get_args(kind)
        return {key: _build(content_kind, content, f"{place}.{key}") for key, content in value.items()}
    if kind is Any:
        return value
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if not isinstance(value, str) or value not in set(kind):
            raise WireError(
                Refusal.WRONG_SCHEMA, f"{place}: {value!r} is not one of {[str(k) for k in kind]}"
            )
        return kind(value)
    return _build_scalar(kind, value, place)


def _build_scalar(kind: Any, value: Any, place: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise WireError(Refusal.OUT_OF_RANGE, f"{place}: a number of that size") from error
    if kind is type(None) and value is None:
        return None
    if type(value) is not kind:
        raise _wrong(place, getattr(kind, "__name__", str(kind)), value)
    return value


def _build_union(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    if type(value) in kinds:
        return value
    rest = [kind for kind in kinds if kind is not type(None)]
    if len(rest) == 1:
        return _build(rest[0], value, place)
    raise _wrong(place, "text, a number, true, false or null", value)


def _build_dataclass(kind: type, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(place, "an object", value)
    hints = _hints(kind)
    given = {}
    for item in dataclasses.fields(kind):
        if item.name in value:
            given[item.name] = _build(hints[item.name], value[item.name], f"{place}.{item.name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise WireError(Refusal.WRONG_SCHEMA, f"{place}.{item.name} is missing")
    return kind(**given)


_hint_cache: dict[type, dict[str, Any]] = {}


def _hints(kind: type) -> dict[str, Any]:
    if kind not in _hint_cache:
        _hint_cache[kind] = typing.get_type_hints(kind)
    return _hint_cache[kind]
