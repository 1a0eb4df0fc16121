"""The wire: what is encoded is decoded, what is broken is refused with a name."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import zlib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.wire import codec, schema, topics
from hatang_agent.wire.codec import Refusal, WireError
from hatang_agent.wire.messages import Ack, Beat, Birth, CollectorHello, Presence, SignedConfig
from hatang_agent.wire.report import Clock, Fact, Gap, Predecessor, Report, Run, RunError, Sample, Status

GOLDEN = Path(__file__).parent / "golden"
AGENT = "abcdefgh234567aa"
EPOCH = "00112233445566aa"

words = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
times = st.integers(0, 1 << 45)
clocks = st.builds(Clock, times, times, st.text("0123456789abcdef-", max_size=36))
names = st.builds(lambda a, b: f"{a}.{b}", words, words)
tags = st.dictionaries(words, st.text("abcđẵ /:\\=,", min_size=1, max_size=9), max_size=3)
samples = st.builds(
    Sample,
    names,
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["%", "B"]),
    tags,
)
scalars = st.none() | st.booleans() | st.integers(-(1 << 50), 1 << 50) | st.text(max_size=20)
facts = st.builds(Fact, words, st.text(max_size=9), st.dictionaries(words, scalars, max_size=4))
run_ids = st.builds(lambda n: f"{EPOCH}-{n}", st.integers(1, 10**9))
runs = st.builds(
    Run,
    run_ids,
    words,
    clocks,
    times,
    st.sampled_from(Status),
    st.lists(samples, max_size=4).map(tuple),
    st.lists(facts, max_size=3).map(tuple),
    st.none() | st.builds(RunError, st.text(max_size=9), st.text(max_size=9)),
    st.sampled_from(["", "ab" * 32]),
    st.booleans(),
)
gaps = st.builds(lambda p, n, a, b: Gap(p, n, a, a + b, "size"), words, st.integers(1, 9), times, times)
reports = st.builds(
    Report,
    st.just(1),
    st.just(AGENT),
    st.just(EPOCH),
    st.integers(1, 10**9),
    st.none() | st.just(Predecessor(EPOCH, 3, "cd" * 32)),
    clocks,
    st.sampled_from(["pc", "probe"]),
    st.just("0.1.0"),
    st.lists(runs, max_size=3).map(tuple),
    st.lists(gaps, max_size=2).map(tuple),
)


def example() -> dict[str, Any]:
    """A small valid report as plain values."""
    clock = {"wall_ms": 1, "boot_ms": 1, "boot_id": "b"}
    sample = {"name": "usage.cpu_percent", "value": 3.5, "unit": "%"}
    run = {
        "id": f"{EPOCH}-1",
        "probe": "usage",
        "clock": clock,
        "took_ms": 1,
        "status": "ok",
        "samples": [sample],
    }
    return {
        "schema": 1,
        "agent": AGENT,
        "epoch": EPOCH,
        "seq": 1,
        "predecessor": None,
        "clock": clock,
        "role": "pc",
        "version": "0.1.0",
        "runs": [run],
    }


@given(reports)
def test_a_report_survives_the_way(report: Report) -> None:
    """Decoding the bytes of a report gives the same report, and the bytes fit the JSON schema."""
    wire = codec.encode(report)

    assert codec.decode(wire) == report
    jsonschema.validate(json.loads(codec.inflate(wire)), schema.json_schema())


@given(reports)
def test_bytes_are_canonical(report: Report) -> None:
    """Encoding what was decoded gives the same bytes, so a digest can be recomputed."""
    wire = codec.encode(report)

    assert codec.encode(codec.decode(wire)) == wire


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_by_name(wire: bytes) -> None:
    """Arbitrary bytes raise WireError and nothing else."""
    with pytest.raises(WireError):
        codec.decode(wire)


@given(reports, st.data())
def test_a_flipped_byte_never_breaks_the_decoder(report: Report, data: st.DataObject) -> None:
    """A damaged message is refused with a reason, or is another valid report with another digest."""
    wire = bytearray(codec.encode(report))
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    changed = bytes(wire)

    with contextlib.suppress(WireError):
        codec.decode(changed)
    assert codec.digest(changed) != codec.digest(codec.encode(report))


def broken() -> list[tuple[str, bytes, Refusal]]:
    """Every kind of broken message, with the reason it must be refused for."""

    def changed(**values: Any) -> bytes:
        return json.dumps({**example(), **values}).encode()

    def run(**values: Any) -> bytes:
        (first,) = example()["runs"]
        return changed(runs=[{**first, **values}])

    def sample(**values: Any) -> bytes:
        return run(samples=[{"name": "usage.cpu", "value": 1.0, "unit": "%", **values}])

    many = {f"t{n}": "x" for n in range(30_000)}
    bomb = zlib.compress(b" " * (codec.MAX_INFLATED + 10), 9)
    return [
        ("not json", b"{hello", Refusal.NOT_JSON),
        ("empty", b"", Refusal.NOT_JSON),
        ("a list", b"[1]", Refusal.WRONG_SCHEMA),
        ("deep nesting", b"[" * 100_000, Refusal.NOT_JSON),
        ("no schema", b"{}", Refusal.WRONG_SCHEMA),
        ("future schema", changed(schema=2), Refusal.FUTURE_SCHEMA),
        ("schema true", changed(schema=True), Refusal.WRONG_SCHEMA),
        ("schema zero", changed(schema=0), Refusal.WRONG_SCHEMA),
        ("too large", b"{" + b" " * codec.MAX_WIRE, Refusal.TOO_LARGE),
        ("deflate bomb", bomb, Refusal.INFLATES_TOO_LARGE),
        ("torn deflate", zlib.compress(json.dumps(example()).encode())[:-6], Refusal.BAD_DEFLATE),
        ("bytes behind deflate", zlib.compress(json.dumps(example()).encode()) + b"x", Refusal.BAD_DEFLATE),
        ("not deflate", b"xyz", Refusal.BAD_DEFLATE),
        ("bad utf-8", b'{"schema": 1, "agent": "\xff"}', Refusal.BAD_UTF8),
        ("NaN", sample(value=float("nan")), Refusal.NOT_JSON),
        ("infinite by exponent", sample(value=1.0).replace(b"1.0", b"1e999"), Refusal.OUT_OF_RANGE),
        ("number as text", sample(value="3"), Refusal.WRONG_SCHEMA),
        ("number as true", sample(value=True), Refusal.WRONG_SCHEMA),
        ("sequence as float", changed(seq=1.5), Refusal.WRONG_SCHEMA),
        ("sequence zero", changed(seq=0), Refusal.OUT_OF_RANGE),
        ("agent missing", changed(agent=None), Refusal.WRONG_SCHEMA),
        ("agent with a slash", changed(agent="a/b"), Refusal.OUT_OF_RANGE),
        ("status as a list", run(status=["ok"]), Refusal.WRONG_SCHEMA),
        ("a number of 400 digits", sample(value=10**400), Refusal.OUT_OF_RANGE),
        ("half a surrogate pair", changed(version="\ud800"), Refusal.BAD_UTF8),
        ("unknown status", run(status="fine"), Refusal.WRONG_SCHEMA),
        ("name without a dot", sample(name="cpu"), Refusal.OUT_OF_RANGE),
        ("a newline in a tag", sample(tags={"disk": "a\nb"}), Refusal.OUT_OF_RANGE),
        ("very many tags", sample(tags=many), Refusal.TOO_LARGE),
        ("very many tags, deflated", zlib.compress(sample(tags=many)), Refusal.OUT_OF_RANGE),
        ("tags as a list", sample(tags=[1]), Refusal.WRONG_SCHEMA),
        ("time before 1970", run(clock={"wall_ms": -1, "boot_ms": 1, "boot_id": ""}), Refusal.OUT_OF_RANGE),
        ("nested facts", run(facts=[{"kind": "os", "key": "", "fields": {"a": {}}}]), Refusal.WRONG_SCHEMA),
    ]


@pytest.mark.parametrize(("wire", "reason"), [pytest.param(w, r, id=i) for i, w, r in broken()])
def test_broken_messages_are_refused_by_reason(wire: bytes, reason: Refusal) -> None:
    """Each kind of broken message is refused with the reason that names it."""
    with pytest.raises(WireError) as caught:
        codec.decode(wire)

    assert caught.value.reason == reason


def test_a_number_that_json_cannot_carry_is_not_sent() -> None:
    """NaN never leaves an agent."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        codec.encode(Sample("usage.cpu_percent", float("nan"), "%"))


def test_unchanged_inventory_is_small() -> None:
    """A report that only confirms an unchanged inventory is under 200 bytes more than its envelope."""
    report = codec.decode(json.dumps({**example(), "runs": []}).encode())
    clock = Clock(1_763_600_000_000, 86_400_000, "b0a7c1de-0000-4000-8000-000000000001")
    confirmed = Run(f"{EPOCH}-77", "hardware", clock, 12, Status.OK, facts_digest="ab" * 32, unchanged=True)

    more = len(codec.encode(dataclasses.replace(report, runs=(confirmed,)))) - len(codec.encode(report))
    assert more < 200


@pytest.mark.parametrize(
    "message",
    [
        Birth(1, AGENT, EPOCH, "main", 1, Clock(1, 2, "b"), "pc", "0.1.0"),
        Beat(EPOCH, 3, 4),
        Ack(("ab" * 32,)),
        CollectorHello("c", "e"),
    ],
)
def test_small_messages_survive_the_way(message: Any) -> None:
    """Birth, beat, ack and hello are decoded as they were encoded."""
    assert codec.decode_small(type(message), codec.encode(message)) == message


def test_a_large_small_message_is_refused() -> None:
    """A birth of megabytes is refused before it is parsed."""
    with pytest.raises(WireError) as caught:
        codec.decode_small(Birth, b"{" + b" " * codec.MAX_SMALL)

    assert caught.value.reason == Refusal.TOO_LARGE


def test_a_configuration_is_genuine_only_for_its_agent_number_and_content() -> None:
    """Another agent, number, content or key makes a signature invalid."""
    config = codec.sign(b"k" * 32, AGENT, 7, {"report_s": 300})

    assert codec.genuine(b"k" * 32, AGENT, config)
    assert not codec.genuine(b"k" * 32, "b" * 16, config)
    assert not codec.genuine(b"j" * 32, AGENT, config)
    assert not codec.genuine(b"k" * 32, AGENT, SignedConfig(8, config.content, config.hmac))
    assert not codec.genuine(b"k" * 32, AGENT, SignedConfig(7, {"report_s": 3}, config.hmac))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.wire")), ids=lambda path: path.stem)
def test_golden_messages_are_read_for_ever(path: Path) -> None:
    """Bytes of every released form still decode to the values written beside them."""
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    wire = path.read_bytes()
    kind = {"birth": Birth, "presence": Presence, "beat": Beat, "ack": Ack, "config": SignedConfig}.get(
        path.stem.split("-")[0]
    )

    message = codec.decode(wire) if kind is None else codec.decode_small(kind, wire)

    assert codec.plain(message) == expected["values"]
    assert codec.digest(wire) == expected["sha256"]


def test_there_are_golden_messages() -> None:
    """The folder of golden messages holds every kind."""
    kinds = {path.stem.split("-")[0] for path in GOLDEN.glob("*.wire")}

    assert kinds == {"report", "birth", "presence", "beat", "ack", "config"}


def test_the_documentation_is_generated() -> None:
    """docs/wire.md and the JSON schema are what the code generates."""
    docs = Path(__file__).parents[2] / "docs"

    assert (docs / "wire.md").read_text(encoding="utf-8") == schema.page()
    assert json.loads((docs / "wire.schema.json").read_text(encoding="utf-8")) == schema.json_schema()


@given(
    st.from_regex(topics.AGENT_PATTERN, fullmatch=True), st.from_regex(topics.PATH_PATTERN, fullmatch=True)
)
def test_topics_are_parsed_back(agent: str, path: str) -> None:
    """Every topic that is built is recognised, with its agent, kind and path."""
    assert topics.parse(topics.report(agent)) == topics.Topic(agent, "report")
    assert topics.parse(topics.beat(agent, path)) == topics.Topic(agent, "beat", path)
    assert topics.parse(topics.birth(agent, path)) == topics.Topic(agent, "birth", path)
    assert topics.parse(topics.presence(agent, path)) == topics.Topic(agent, "presence", path)
    assert 0 <= topics.shard(agent) < topics.SHARDS


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "hatang/v1/collector",
        "hatang/v2/0/abcdefgh234567aa/report",
        "hatang/v1/0/abc/report",
        f"hatang/v1/{(topics.shard(AGENT) + 1) % 64}/{AGENT}/report",
        f"{topics.report(AGENT)}/x",
        f"hatang/v1/{topics.shard(AGENT)}/{AGENT}/beat",
        f"hatang/v1/{topics.shard(AGENT)}/{AGENT}/beat/A B",
        f"hatang/v1/{topics.shard(AGENT)}/{AGENT}/shell",
    ],
)
def test_other_topics_are_not_ours(topic: str) -> None:
    """A topic of another shape, version or shard is none of an agent's."""
    assert topics.parse(topic) is None
