"""Generates ``docs/wire.md`` and ``docs/wire.schema.json`` from the dataclasses.

``python -m hatang_agent.wire.schema docs`` writes both, ``--check`` only compares (exit code 1 when
they differ), so that the page cannot drift from the code.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import sys
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from hatang_agent.wire import codec, messages, report, topics

MESSAGES: Final[tuple[tuple[type, str], ...]] = (
    (report.Report, f"`{topics.ROOT}/{{shard}}/{{agent}}/report`, QoS 1"),
    (messages.Birth, f"`{topics.ROOT}/{{shard}}/{{agent}}/birth/{{path}}`, QoS 1, retained"),
    (messages.Presence, f"`{topics.ROOT}/{{shard}}/{{agent}}/presence/{{path}}`, QoS 1, also the will"),
    (messages.Beat, f"`{topics.ROOT}/{{shard}}/{{agent}}/beat/{{path}}`, QoS 0"),
    (messages.Ack, f"`{topics.ROOT}/{{shard}}/{{agent}}/ack`, QoS 0"),
    (messages.SignedConfig, f"`{topics.ROOT}/{{shard}}/{{agent}}/config`, QoS 1, retained"),
    (messages.CollectorHello, f"`{topics.COLLECTOR}`, QoS 1, retained"),
    (messages.EnrolRequest, "`POST /api/v1/enrol`, body"),
    (messages.EnrolReply, "`POST /api/v1/enrol`, answer"),
)
PARTS: Final[tuple[type, ...]] = (
    report.Clock,
    report.Run,
    report.Sample,
    report.Fact,
    report.RunError,
    report.Gap,
    report.Predecessor,
    messages.Rejection,
    messages.BrokerAddress,
)
ENUMS: Final[tuple[type[StrEnum], ...]] = (report.Status, messages.Farewell, codec.Refusal)
_SCALARS: Final[dict[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of every message, one definition per dataclass."""
    kinds = [kind for kind, _ in MESSAGES] + list(PARTS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Hạ Tầng wire messages",
        "$ref": "#/$defs/Report",
        "$defs": {kind.__name__: _definition(kind) for kind in kinds},
    }


def _definition(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    return {
        "type": "object",
        "description": inspect.getdoc(kind),
        "properties": {item.name: _type_schema(hints[item.name]) for item in fields},
        "required": [item.name for item in fields if _required(item)],
    }


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _type_schema(kind: Any) -> dict[str, Any]:
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if kind is Any:
        return {}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_type_schema(argument) for argument in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _type_schema(arguments[0])}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type_schema(arguments[1])}
    if issubclass(kind, StrEnum):
        return {"enum": [str(member) for member in kind]}
    return {"$ref": f"#/$defs/{kind.__name__}"}


def page() -> str:
    """The documentation page, in Markdown."""
    lines = [
        "# Wire format",
        "",
        "Generated from `agent/hatang_agent/wire` by `make docs`; do not edit.",
        "The machine-readable form is [wire.schema.json](wire.schema.json).",
        "",
        inspect.getdoc(codec) or "",
        "",
        "## Limits",
        "",
        "| limit | value |",
        "|---|---|",
    ]
    limits = sorted(name for name in vars(codec) if name.startswith("MAX_") or name == "DEFLATE_ABOVE")
    lines += [f"| `{name}` | {getattr(codec, name):,} |" for name in limits]
    lines += ["", "## Topics", "", inspect.getdoc(topics) or "", "", "## Messages", ""]
    for kind, place in MESSAGES:
        lines += [f"### {kind.__name__}", "", f"{place}.", "", *_table(kind)]
    lines += ["## Parts of messages", ""]
    for kind in PARTS:
        lines += [f"### {kind.__name__}", "", *_table(kind)]
    lines += ["## Words", ""]
    for enum in ENUMS:
        words = ", ".join(f"`{member}`" for member in enum)
        lines += [f"**{enum.__name__}**: {inspect.getdoc(enum)}", "", words, ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(kind: type) -> list[str]:
    hints = typing.get_type_hints(kind)
    lines = [inspect.getdoc(kind) or "", "", "| field | type | needed |", "|---|---|---|"]
    for item in dataclasses.fields(kind):
        needed = "yes" if _required(item) else "no"
        lines.append(f"| `{item.name}` | {_type_name(hints[item.name])} | {needed} |")
    return [*lines, ""]


def _type_name(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"object of {_type_name(arguments[1])}"
    if kind in _SCALARS:
        return _SCALARS[kind]
    return "anything" if kind is Any else kind.__name__


def main() -> int:
    """Write or compare the generated files; 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(description="Generate the wire documentation.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help="compare only")
    args = parser.parse_args()
    schema = json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"
    stale = []
    for name, content in (("wire.md", page()), ("wire.schema.json", schema)):
        path = args.folder / name
        if args.check:
            if not path.is_file() or path.read_text(encoding="utf-8") != content:
                stale.append(str(path))
        else:
            path.write_text(content, encoding="utf-8")
    if stale:
        sys.stderr.write(f"{', '.join(stale)} differ from the code: run 'make docs' and commit\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
