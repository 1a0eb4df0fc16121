"""Shared programs of the offices: whether people could reach them, step by step.

So that "they did not use it" can be told from "they could not reach it". The programs (document
management, one-stop portal, mail, meetings, web portal …) come with the signed configuration from the
register of targets, or stand in the agent's own file, as ``CODE METHOD ADDRESS``:

    targets = ["qlvb http https://qlvb.example.vn/login", "hop tcp 10.0.0.9:5061"]

Each program is asked on each path of the machine, an interface and its next hop: the name, the TCP
connection, the encryption with its certificate, and a ``HEAD`` of the public page (``GET`` where a
server does not know it). ``step`` is where it failed: ``dns``, ``tcp``, ``tls`` or ``http``. A page that asks
who is there (401, 403) is reached; one that is missing or out of order is not. A certificate that a
browser would warn of counts as not reached at ``tls``, unless ``any_certificate`` is set; how many days
it is still valid is told in either case.

Nothing ever logs in. Of a reply only the status line is looked at, and of a redirect where it leads:
it is followed once, on the same host only. A program is asked at most once in five minutes (half a
minute less when a run is early), one after the other with a pause, by the User-Agent ``hatang-agent``.
A run that comes sooner repeats its facts and sends no samples. `not_tested` says that nothing was
learned, and why.

A program with several targets is reached when one of them is; they are asked in the order given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hatang_agent.net.path import NetPath
from hatang_agent.net.targets import Target, parse
from hatang_agent.probes import _paths
from hatang_agent.probes._service_asking import Asking, ask_all
from hatang_agent.probes._service_verdict import NO_TIME, Verdict
from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.wire.report import Fact, Sample

if TYPE_CHECKING:
    import ssl

INTERVAL_S = 300
DEADLINE_S = 60
ROLES = ("pc", "probe")

_ASKED: Final = (
    "the system's name resolution; sockets: TCP, TLS, HTTP HEAD or GET; recorded: network.json "
    '("name <host>", "http <address>")',
)
SOURCES = {system: (*read, *_ASKED) for system, read in _paths.SOURCES.items()}

_TAGS = ("service", "path")

FIELDS = (
    Field(
        "services.time_ms",
        "Thời gian từ lúc kết nối tới khi trang trả lời",
        "time from the connection to the first byte of the reply",
        "ms",
        _TAGS,
    ),
    Field("service_reach.service", "Mã phần mềm dùng chung", "code of the shared program", fact=True),
    Field(
        "service_reach.source",
        "Đường đi: card mạng, và cổng mạng nếu card có nhiều cổng",
        "path: interface, with its gateway where there are several",
        fact=True,
    ),
    Field(
        "service_reach.reached",
        "Có tới được phần mềm không: yes, no, not_tested (chưa đo được)",
        "whether it is reached: yes, no, not_tested",
        fact=True,
    ),
    Field(
        "service_reach.step",
        "Bước không qua được: dns (tên), tcp (kết nối), tls (mã hóa), http (trang)",
        "step that failed: dns, tcp, tls, http",
        fact=True,
    ),
    Field("service_reach.status", "Mã trạng thái HTTP của trang", "HTTP status of the page", fact=True),
    Field(
        "service_reach.tls_days_left",
        "Số ngày còn lại của chứng thư",
        "days until its certificate ends",
        "d",
        fact=True,
    ),
    Field(
        "service_reach.how",
        "Đã hỏi địa chỉ nào, bằng cách nào, kết quả ra sao",
        "which address was asked, how, and what came of it",
        fact=True,
    ),
)

MAX_TARGETS: Final = 64
ASK_EVERY_MS: Final = 270_000
"""Five minutes less what a run may be early against the one before, which may have been late."""
_MARGIN_MS: Final = 1_500


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.services]."""

    targets: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": 'what is asked, as "code method address": "qlvb http https://qlvb.example.vn/login"; '
            "methods are http, tls, tcp, dns, icmp",
            "register": "targets",
        },
    )
    timeout_s: float = field(
        default=4.0,
        metadata={"help": "seconds to wait for one program on one path", "minimum": 1, "maximum": 15},
    )
    any_certificate: bool = field(
        default=False,
        metadata={
            "help": "whether a program counts as reached though a browser would warn of its certificate"
        },
    )

    def __post_init__(self) -> None:
        """Refuse what is no target, by name."""
        if len(self.targets) > MAX_TARGETS:
            raise ValueError(f"{len(self.targets)} targets; give at most {MAX_TARGETS}")
        for text in self.targets:
            parse(text)


Past = tuple[int, tuple[Target, ...], list[Fact]]
"""When a program was asked (boot clock), at which targets, and what was told of it."""


def measure(context: Context) -> Result:
    """Each program by each path, as samples and as facts of kind ``service_reach``."""
    programs = by_code([parse(text) for text in context.config.targets])
    if not programs:
        raise NoData("no services are configured; enter them in the register of targets")
    now = context.system.boot_ms()
    memory: dict[str, Past] = context.memory.setdefault("asked", {})
    due = _due(programs, memory, now)
    samples: list[Sample] = []
    if due:
        for code, found in ask_all(_asking(context, due), due, context.system.wait).items():
            asked_ms = now if any(one.how != NO_TIME for _, one in found) else now - ASK_EVERY_MS
            memory[code] = (asked_ms, due[code], [fact_of(code, *one) for one in found])
            samples += [sample for one in found for sample in samples_of(code, *one)]
    for code in set(memory) - set(programs):
        del memory[code]
    return Result(samples, [fact for code in programs for fact in memory[code][2]])


def _due(
    programs: Mapping[str, tuple[Target, ...]], memory: Mapping[str, Past], now: int
) -> dict[str, tuple[Target, ...]]:
    """Programs that may be asked: not since five minutes, or never at these addresses.

    The longest waiting first, so that nobody is left out for ever when the time does not suffice for all.
    """
    waits = {
        code: now - memory[code][0] if code in memory and memory[code][1] == asked else now + ASK_EVERY_MS
        for code, asked in programs.items()
    }
    late = sorted((code for code in programs if waits[code] >= ASK_EVERY_MS), key=lambda code: -waits[code])
    return {code: programs[code] for code in late}


def by_code(targets: Sequence[Target]) -> dict[str, tuple[Target, ...]]:
    """Targets of each program, in the order in which they were given."""
    found: dict[str, tuple[Target, ...]] = {}
    for target in targets:
        found[target.label] = (*found.get(target.label, ()), target)
    return found


def _asking(context: Context, programs: Mapping[str, Sequence[Target]]) -> Asking:
    secure = any(target.secure for targets in programs.values() for target in targets)
    return Asking(
        network=context.system.network,
        ways=_paths.read(context.system, context.memory),
        timeout_s=context.config.timeout_s,
        until_ms=context.deadline_ms - _MARGIN_MS,
        boot_ms=context.system.boot_ms,
        now_ms=context.system.wall_ms(),
        trust=None if context.config.any_certificate or not secure else _browsers_trust(),
    )


def _browsers_trust() -> ssl.SSLContext:
    """What the system believes, as browsers do."""
    import ssl

    return ssl.create_default_context()


def fact_of(code: str, path: NetPath, verdict: Verdict) -> Fact:
    """What was found of a program on a path; what is not known is left out."""
    fields: dict[str, Any] = {
        "service": code,
        "source": path.name,
        "reached": str(verdict.reached),
        "step": verdict.step and str(verdict.step),
        "status": verdict.status,
        "tls_days_left": verdict.tls_days_left,
        "how": verdict.how,
    }
    key = f"{code} {path.name}".strip()
    return Fact("service_reach", key, {name: value for name, value in fields.items() if value is not None})


def samples_of(code: str, path: NetPath, verdict: Verdict) -> list[Sample]:
    """How long it took; nothing for what did not answer."""
    if verdict.time_ms is None:
        return []
    tags = {"service": code, "path": path.name}
    return [Sample("services.time_ms", round(verdict.time_ms, 1), "ms", tags)]
