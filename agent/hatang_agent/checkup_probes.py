"""Each probe run once for a check-up: what it measured, what it could not read, which target is not reached.

Nothing here knows a probe by its name. A fact field that says ``unreadable`` is something lacking; a
fact with ``reached`` is a target; a run that failed is bad, with the hint it carries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from hatang_agent.checkup import Area, Finding, State, Words
from hatang_agent.checkup_work import Job
from hatang_agent.config import ProbePlan
from hatang_agent.registry import Probe
from hatang_agent.runner import Runner
from hatang_agent.wire.report import Fact, Run, Status

UNREADABLE: Final = "unreadable"
NOT_JUDGED: Final = frozenset({"evidence", "why", "how"})
"""Fields that give reasons; the word may occur in them."""
CERTIFICATE_DAYS: Final = 14
"""A certificate that ends within so many days is worth a word."""
MAX_QUOTED: Final = 160
NO_RIGHT: Final = r"permission|permitted|denied|no right|root|privilege|not allowed|access is"
"""How reasons speak of a right that is missing."""

_SUDO: Final = Words(
    "chạy lại bằng quyền quản trị: sudo hatang-agent doctor (Windows: mở PowerShell bằng Run as "
    "administrator); dịch vụ phải được cấp đúng quyền đó",
    "run again with the rights of an administrator: sudo hatang-agent doctor (Windows: PowerShell by Run "
    "as administrator); the service needs the same right",
)
_GIVE: Final = Words(
    "chạy ở ngoài vùng chứa (container), hoặc cấp thêm quyền cho dịch vụ",
    "run it outside of the container, or give the service that right",
)
_SLOW: Final = Words(
    "máy đang chậm hoặc treo: xem tải và ổ đĩa, rồi chạy lại",
    "the system answers slowly or hangs: look at its load and disks, then run again",
)
_FAULT: Final = Words(
    "lỗi của chương trình: báo cho người phát triển kèm số phiên bản",
    "a fault of the program: report it with the version",
)
# The runner's own messages; what a probe says itself stays as it is, in English.
_KNOWN: Final[Sequence[tuple[str, str, Words]]] = (
    (r"no right to read (.+)", "không có quyền đọc {}", _SUDO),
    (r"command not found: (\S+).*", "máy chưa có lệnh {}", Words("cài lệnh {}", "install {}")),
    (r"command took longer than (.+? s): .*", "một lệnh của hệ thống chạy quá {}", _SLOW),
    (r"took longer than (.+ s)", "quá {}", _SLOW),
    (r"(the run before this one has not ended yet)", "lần đo trước chưa xong", _SLOW),
    (r"([A-Z]\w*(?:Error|Exception): .*)", "{}", _FAULT),
)


def job(runner: Runner, probe: Probe, plan: ProbePlan, left_s: Callable[[], float], privileged: bool) -> Job:
    """The probe as something to find out; its run gets the time that is left, at most its deadline."""
    name = Words(f"phép đo {probe.name}", f"probe {probe.name}")
    late = Finding(
        Area.PROBES,
        State.BAD,
        "probe.late",
        Words(f"{probe.name}: chưa xong khi hết giờ", f"{probe.name}: not done when time was up"),
        Words(f"chạy riêng: hatang-agent once {probe.name}", f"run it alone: hatang-agent once {probe.name}"),
    )

    def find() -> list[Finding]:
        deadline_s = min(probe.deadline_s, max(left_s(), 0.1))
        run = runner.execute(probe, plan.config, enabled=plan.enabled, deadline_s=deadline_s)
        return list(judge(probe, run, privileged=privileged))

    return Job(name, find, late)


def judge(probe: Probe, run: Run, *, privileged: bool) -> Iterator[Finding]:
    """What one run says about the machine's state. Pure."""
    if run.status is Status.DISABLED:
        said = Words(f"{probe.name}: tắt theo cấu hình", f"{probe.name}: switched off by the settings")
        yield Finding(Area.PROBES, State.NOTE, "probe.disabled", said)
    elif run.status is Status.NO_DATA:
        yield _no_data(run)
    elif run.status in (Status.FAILED, Status.TIMEOUT):
        yield _failed(run, privileged=privileged)
    else:
        yield from _measured(probe, run, privileged=privileged)


def _no_data(run: Run) -> Finding:
    why = f" ({run.error.message})" if run.error and run.error.message else ""
    said = Words(f"{run.probe}: ở đây không có gì để đo{why}", f"{run.probe}: nothing to measure here{why}")
    return Finding(Area.PROBES, State.NOTE, "probe.no_data", said)


def _failed(run: Run, *, privileged: bool) -> Finding:
    message = run.error.message if run.error else str(run.status)
    hint = run.error.hint if run.error else ""
    for pattern, vi, todo in _KNOWN:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            what = _quoted(found[1])
            right = todo is _SUDO
            said = Words(f"{run.probe}: {vi.format(what)}", f"{run.probe}: {_quoted(message)}")
            todo = Words(todo.vi.replace("{}", what), todo.en.replace("{}", what))
            if right and privileged:
                todo = _GIVE
            state = State.LACKING if right or message.startswith("command not found") else State.BAD
            code = "probe.no_right" if right else f"probe.{run.status}"
            return Finding(Area.RIGHTS if right else Area.PROBES, state, code, said, todo)
    said = Words(
        f"{run.probe}: không đo được: {_quoted(message)}", f"{run.probe}: failed: {_quoted(message)}"
    )
    alone = _alone(run.probe)
    shown = f" ({hint})" if hint else ""
    return Finding(
        Area.PROBES,
        State.BAD,
        f"probe.{run.status}",
        said,
        Words(f"{alone.vi}{shown}", f"{hint}; {alone.en}" if hint else alone.en),
    )


def _alone(name: str) -> Words:
    return Words(f"xem chi tiết: hatang-agent once {name}", f"see the details: hatang-agent once {name}")


def _measured(probe: Probe, run: Run, *, privileged: bool) -> Iterator[Finding]:
    said = Words(
        f"{run.probe}: {len(run.samples)} số đo, {len(run.facts)} thông tin",
        f"{run.probe}: {len(run.samples)} samples, {len(run.facts)} facts",
    )
    yield Finding(Area.PROBES, State.GOOD, "probe.ok", said)
    names = {field.name: field.vi for field in probe.fields}
    for fact in run.facts:
        if "reached" not in fact.fields:
            yield from _unread(run.probe, fact, names, privileged=privileged)
    yield from _targets([fact for fact in run.facts if "reached" in fact.fields])


def _unread(probe: str, fact: Fact, names: Mapping[str, str], *, privileged: bool) -> Iterator[Finding]:
    """One line for a fact that could not be read, however many of its fields say so.

    Lacking is a right; what no right would change (no tool, a disk that tells nothing) is a note.
    """
    fields = [
        name
        for name, value in fact.fields.items()
        if name not in NOT_JUDGED and isinstance(value, str) and re.search(rf"\b{UNREADABLE}\b", value)
    ]
    if not fields:
        return
    kind = "" if fact.kind == probe else fact.kind
    what = ": ".join(part for part in (probe, f"{kind} {fact.key}".strip()) if part)
    reason = _first(fact.fields, f"{fields[0]}_reason", "why", "evidence", "how", "reason")
    said = Words(
        f"{what}: không đọc được {_label(names.get(f'{fact.kind}.{fields[0]}', ''), fields[0])}",
        f"{what}: cannot read its {fields[0]}",
    )
    if reason:
        said = Words(f"{said.vi} ({_quoted(reason)})", f"{said.en} ({_quoted(reason)})")
    told = f"{reason} {_first(fact.fields, 'evidence')}"
    if not re.search(NO_RIGHT, told, re.IGNORECASE):
        missing = re.search(r"(\S+) is not installed", told)
        install = (
            Words("cài {0} thì đọc được", "install {0}, which can read it") if missing else _alone(probe)
        )
        todo = Words(*(text.format(missing[1] if missing else "") for text in (install.vi, install.en)))
        yield Finding(Area.PROBES, State.NOTE, "probe.unreadable", said, todo)
        return
    yield Finding(Area.RIGHTS, State.LACKING, "probe.no_right", said, _GIVE if privileged else _SUDO)


def _label(vi: str, name: str) -> str:
    """A field's Vietnamese name without its list of words; its own name where that is all there is."""
    head = vi.partition(":")[0].strip()
    return name if not head or "không đọc được" in head else f"“{head}”"


def _targets(facts: Sequence[Fact]) -> Iterator[Finding]:
    """One line for each network or service: reached by which paths, or why by none of them."""
    by_name: dict[str, list[Fact]] = {}
    for fact in facts:
        by_name.setdefault(_first(fact.fields, "service", "network") or fact.key, []).append(fact)
    for name, ways in by_name.items():
        yield _target(name, ways)
        days = [d for fact in ways if isinstance(d := fact.fields.get("tls_days_left"), int | float)]
        if days and 0 <= min(days) < CERTIFICATE_DAYS:
            said = Words(
                f"{name}: chứng thư hết hạn sau {min(days):g} ngày",
                f"{name}: its certificate ends in {min(days):g} days",
            )
            yield Finding(Area.TARGETS, State.NOTE, "target.certificate", said)


def _target(name: str, ways: Sequence[Fact]) -> Finding:
    yes, no, untested = (
        [fact for fact in ways if fact.fields.get("reached") == word] for word in ("yes", "no", "not_tested")
    )
    if yes:
        paths = ", ".join(_path(fact) for fact in yes if _path(fact))
        said = Words(
            f"{name}: tới được{f' qua {paths}' if paths else ''}{_others(no, 'không qua')}",
            f"{name}: reached{f' by {paths}' if paths else ''}{_others(no, 'not by')}",
        )
        return Finding(Area.TARGETS, State.GOOD, "target.reached", said)
    if no:
        worst = max(no, key=lambda fact: _DEPTH.get(str(fact.fields.get("step")), 0))
        said = Words(f"{name}: không tới được{_others(no, 'qua')}", f"{name}: not reached{_others(no, 'by')}")
        todo = _NEXT.get(str(worst.fields.get("step")), _LINE)
        return Finding(Area.TARGETS, State.BAD, "target.not_reached", said, todo)
    said = Words(
        f"{name}: chưa thử được{_others(untested, 'qua')}", f"{name}: not tried{_others(untested, 'by')}"
    )
    return Finding(Area.TARGETS, State.LACKING, "target.not_tested", said, _NO_WAY)


def _path(fact: Fact) -> str:
    return _first(fact.fields, "source")


def _others(facts: Sequence[Fact], word: str) -> str:
    """``; word eth1 (reason)`` for each of the facts."""
    parts = []
    for fact in facts:
        way = f"{word} {_path(fact)}" if _path(fact) else ""
        reason = _first(fact.fields, "how", "step")
        parts.append(" ".join(part for part in (way, f"({_quoted(reason)})" if reason else "") if part))
    return "".join(f"; {part}" for part in parts if part)


_NO_WAY: Final = Words(
    "cắm dây mạng hoặc bật card mạng, rồi chạy lại; xem lý do trong ngoặc",
    "plug in the cable or switch the card on, then run again; the reason is in brackets",
)
_LINE: Final = Words(
    "kiểm tra dây mạng, đường truyền này và tường lửa; nếu các máy khác cũng vậy thì báo nhà mạng",
    "check the cable, this line and the firewall; when other machines have it too, tell the provider",
)
_NEXT: Final[Mapping[str, Words]] = {
    "dns": Words(
        "kiểm tra máy chủ tên (DNS) của đường này, hoặc tên ghi trong danh mục có đúng không",
        "check the name server (DNS) of this line, or whether the name in the catalogue is right",
    ),
    "tcp": _LINE,
    "tls": Words(
        "kiểm tra giờ của máy này; nếu giờ đúng thì báo đơn vị quản lý phần mềm: chứng thư có vấn đề",
        "check this machine's clock; if it is right, tell the owner of the service about its certificate",
    ),
    "http": Words(
        "tới được máy chủ nhưng phần mềm không trả lời đúng: báo đơn vị quản lý phần mềm",
        "the server is reached but the program does not answer well: tell the owner of the service",
    ),
}


_DEPTH: Final = {step: depth for depth, step in enumerate(("dns", "tcp", "tls", "http"), 1)}
"""The step that came furthest tells most about what is to be done."""


def _first(fields: Mapping[str, Any], *names: str) -> str:
    return next((str(fields[name]) for name in names if fields.get(name) not in (None, "")), "")


def _quoted(text: str) -> str:
    """A text on one line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_QUOTED else line[: MAX_QUOTED - 1] + "…"
