"""What is wrong or odd about an estate with lines in it, told at the lines that brought it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from hatang_collector.domain import checks
from hatang_collector.domain.checks import Problem
from hatang_collector.domain.edits import Key
from hatang_collector.domain.estate import Asset, Estate
from hatang_collector.domain.folding import folded
from hatang_collector.domain.targets import fault
from hatang_collector.sheets.contract import sheets
from hatang_collector.sheets.lines import Line
from hatang_collector.sheets.said import Language, RowProblem, Said

Origins = Mapping[tuple[str, Key], Sequence[Line]]

_TOLD_VI: Final[Mapping[str, tuple[str, str]]] = {
    "empty": ("bị trống", "điền giá trị"),
    "duplicate": ("có {times} dòng giống nhau", "giữ lại một dòng"),
    "period": ("“Đến ngày” {valid_to} không sau “Từ ngày” {valid_from}", "sửa một trong hai ngày"),
    "overlap": ("có hiệu lực từ {valid_from} khi dòng trước còn đến {until}", "sửa một trong hai ngày"),
    "unknown": ("không có “{value}” trong “{noun}”", "thêm vào trước, hoặc sửa lại"),
    "parent_not_then": (
        "đơn vị cấp trên {parent} không có hiệu lực suốt từ {valid_from} đến {valid_to}",
        "sửa các ngày",
    ),
    "cycle": ("đơn vị trực thuộc vòng tròn: {units}", "sửa một cột “Trực thuộc”"),
    "succession_day": ("đơn vị {unit} không khớp với ngày {on}", "sửa ngày, hoặc sửa trang “Đơn vị”"),
    "succession_self": ("{unit} không thể kế thừa chính nó", "ghi đơn vị khác"),
    "negative": ("là {value}, không được âm", "ghi số không âm"),
    "hours": ("không đọc được giờ làm việc ({reason})", "ghi như T2-T6 07:30-11:30 13:30-17:00"),
    "scope": ("phạm vi “{value}” không đúng", "để trống, hoặc ghi “đơn vị: mã” hay “trụ sở: mã”"),
    "service_missing": ("bị trống dù đích đo là dịch vụ dùng chung", "ghi dịch vụ"),
}
_ISO_DAY: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_NO_SERIAL: Final = frozenset(
    folded(text)
    for text in ("", "-", "–", "n/a", "na", "none", "0", "không", "không rõ", "không có", "chưa rõ",
                 "to be filled by o.e.m.", "default string", "system serial number")
)  # fmt: skip


def contradictions(estate: Estate, origins: Origins, files: str) -> Iterator[tuple[Line | None, RowProblem]]:
    """Every contradiction in an estate with the line to blame, None when no line is."""
    for problem in checks.problems(estate):
        line = _blamed(problem, origins)
        cause, next_step = _told(problem)
        if line is not None:
            yield line, line.problem(problem.field, cause, next_step)
            continue
        sheet = sheets()[problem.noun]
        key = " ".join(problem.key)
        place = Said(f"{sheet.one_vi} {key} {cause.vi}", f"{sheet.one_en} {key} {cause.en}")
        yield None, RowProblem(files, "", 0, "", place, next_step)


def oddities(before: Estate, after: Estate, origins: Origins, day: date) -> Iterator[RowProblem]:
    """What is allowed but probably a slip: a serial number twice, a year to come, a target nobody can ask."""
    yield from _unaskable(after, origins)
    if after.assets is before.assets:
        return
    by_serial: dict[str, dict[str, Asset]] = defaultdict(dict)
    for asset in after.assets:
        if asset.valid_to is None and folded(asset.serial) not in _NO_SERIAL:
            by_serial[folded(asset.serial)][asset.code] = asset
    for same in by_serial.values():
        lines = [line for code in same for line in origins.get(("assets", (code,)), ())]
        if len(same) > 1 and lines:
            line = lines[-1]
            serial = next(iter(same.values())).serial
            yield line.problem(
                "serial",
                Said(
                    f"số sê-ri {serial} có ở nhiều tài sản: {', '.join(same)}",
                    f"several assets have the serial number {serial}: {', '.join(same)}",
                ),
                Said("kiểm tra lại trên máy", "look at the machines"),
            )
    for (noun, _), ones in origins.items():
        for line in ones:
            year = line.values.get("year") if noun == "assets" else None
            if isinstance(year, int) and year > day.year:
                yield line.problem(
                    "year",
                    Said(f"năm {year} ở tương lai", f"the year {year} has not come"),
                    Said("kiểm tra lại", "check it"),
                )


def _unaskable(after: Estate, origins: Origins) -> Iterator[RowProblem]:
    for target in after.targets:
        lines = origins.get(("targets", (target.code,)), ())
        if lines and (reason := fault(target)):
            yield lines[-1].problem(
                "address",
                Said(f"đích đo sẽ bị bỏ qua: {reason}", f"the target will be left out: {reason}"),
                Said(
                    "ICMP ghi máy hoặc địa chỉ IP, TCP ghi máy:cổng, HTTP ghi https://…, DNS ghi tên miền",
                    "a host for ICMP, host:port for TCP, https://… for HTTP, a name for DNS",
                ),
            )


def _blamed(problem: Problem, origins: Origins) -> Line | None:
    lines = list(origins.get((problem.noun, problem.key), ()))
    start = problem.values.get("valid_from", "")
    exact = [line for line in lines if str(line.values.get("valid_from") or "") == start]
    if lines:
        return (exact or lines)[-1]
    others = problem.values.get("units", "").split(" → ")
    others += [problem.values.get(name, "") for name in ("parent", "unit")]
    return next((found[-1] for code in others if (found := origins.get(("units", (code,))))), None)


def _told(problem: Problem) -> tuple[Said, Said]:
    english = checks.CODES[problem.code]
    cause, _, next_step = english.partition(";")
    vi_cause, vi_next = _TOLD_VI.get(problem.code, (cause, next_step))
    return (
        Said(vi_cause.format_map(_values(problem, "vi")), cause.format_map(_values(problem, "en"))),
        Said(vi_next, next_step.strip() or "correct it"),
    )


def _values(problem: Problem, language: Language) -> dict[str, str]:
    values = {name: _ISO_DAY.sub(r"\3/\2/\1", value) for name, value in problem.values.items()}
    values = {name: value.replace("01/01/1900", "–") for name, value in values.items()}
    if language == "vi":
        values = {n: "không thời hạn" if v == "further notice" else v for n, v in values.items()}
    if values.get("noun") in sheets():
        values["noun"] = sheets()[values["noun"]].title(language)
    return values
