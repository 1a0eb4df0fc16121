"""Every field that leaves the machine: those of the probes and those of the envelope around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hatang_agent.registry import Field, Probe


@dataclass(frozen=True, slots=True)
class Declared:
    """One field. ``kind`` is ``sample``, ``fact`` or ``envelope``; ``probe`` is empty for the envelope."""

    name: str
    kind: str
    vi: str
    en: str
    unit: str = ""
    tags: tuple[str, ...] = ()
    probe: str = ""


def _envelope(name: str, vi: str, en: str) -> Declared:
    return Declared(name, "envelope", vi, en)


ENVELOPE = (
    _envelope("Report.schema", "Phiên bản của mẫu tin", "version of the message"),
    _envelope(
        "Report.agent", "Mã ngẫu nhiên của máy, do hệ thống cấp", "random id of the machine, given by us"
    ),
    _envelope(
        "Report.epoch", "Mã ngẫu nhiên của lần chạy chương trình", "random id of this start of the agent"
    ),
    _envelope("Report.seq", "Số thứ tự của báo cáo", "number of the report"),
    _envelope("Report.predecessor", "Báo cáo liền trước", "the report before"),
    _envelope("Report.clock", "Thời điểm gửi", "when it was sealed"),
    _envelope("Report.role", "Vai trò: máy tính hoặc máy đo", "role: pc or probe"),
    _envelope("Report.version", "Phiên bản chương trình", "version of the agent"),
    _envelope("Report.runs", "Các lần đo", "the runs"),
    _envelope("Report.gaps", "Các lần đo đã phải bỏ", "runs that had to be dropped"),
    _envelope("Predecessor.epoch", "Lần chạy của báo cáo trước", "epoch of the report before"),
    _envelope("Predecessor.seq", "Số thứ tự của báo cáo trước", "number of the report before"),
    _envelope("Predecessor.digest", "Mã băm của báo cáo trước", "digest of the report before"),
    _envelope("Clock.wall_ms", "Giờ của máy", "the machine's clock"),
    _envelope("Clock.boot_ms", "Thời gian từ lúc khởi động", "time since boot"),
    _envelope("Clock.boot_id", "Mã ngẫu nhiên của lần khởi động", "name of this boot"),
    _envelope("Run.id", "Mã của lần đo", "id of the run"),
    _envelope("Run.probe", "Tên phép đo", "name of the probe"),
    _envelope("Run.clock", "Thời điểm đo", "when it was taken"),
    _envelope("Run.took_ms", "Thời gian đo", "how long it took"),
    _envelope("Run.status", "Kết quả: được, không có gì, lỗi, quá giờ, tắt", "how it ended"),
    _envelope("Run.samples", "Các số đo", "the samples"),
    _envelope("Run.facts", "Các thông tin mô tả", "the facts"),
    _envelope("Run.error", "Lý do không đo được", "why it gave nothing"),
    _envelope("Run.facts_digest", "Mã băm của các thông tin mô tả", "digest of the facts"),
    _envelope("Run.unchanged", "Thông tin mô tả không đổi nên không gửi lại", "facts unchanged, left out"),
    _envelope("RunError.message", "Thông báo lỗi", "message of the error"),
    _envelope("RunError.hint", "Gợi ý cách khắc phục", "what can be done about it"),
    _envelope("Sample.name", "Tên số đo", "name of the sample"),
    _envelope("Sample.value", "Giá trị", "its value"),
    _envelope("Sample.unit", "Đơn vị", "its unit"),
    _envelope("Sample.tags", "Số đo thuộc ổ đĩa hay card mạng nào", "which disk or adapter it belongs to"),
    _envelope("Fact.kind", "Loại thông tin", "kind of the fact"),
    _envelope("Fact.key", "Thuộc thiết bị nào trong máy", "which part of the machine"),
    _envelope("Fact.fields", "Nội dung thông tin", "its content"),
    _envelope("Gap.probe", "Phép đo có lần bị bỏ", "probe of the dropped runs"),
    _envelope("Gap.runs", "Số lần đo bị bỏ", "how many were dropped"),
    _envelope("Gap.from_wall_ms", "Từ lúc", "from"),
    _envelope("Gap.to_wall_ms", "Đến lúc", "to"),
    _envelope("Gap.reason", "Lý do bỏ", "why"),
    _envelope("Birth.schema", "Phiên bản của mẫu tin", "version of the message"),
    _envelope("Birth.agent", "Mã ngẫu nhiên của máy", "random id of the machine"),
    _envelope("Birth.epoch", "Mã của lần chạy chương trình", "this start of the agent"),
    _envelope("Birth.path", "Đường truyền đang dùng", "path in use"),
    _envelope("Birth.connection", "Số thứ tự kết nối", "number of the connection"),
    _envelope("Birth.clock", "Thời điểm kết nối", "when it connected"),
    _envelope("Birth.role", "Vai trò", "role"),
    _envelope("Birth.version", "Phiên bản chương trình", "version of the agent"),
    _envelope("Presence.epoch", "Mã của lần chạy chương trình", "this start of the agent"),
    _envelope("Presence.path", "Đường truyền", "path"),
    _envelope("Presence.connection", "Số thứ tự kết nối", "number of the connection"),
    _envelope(
        "Presence.reason", "Lý do ngắt: tắt máy, ngủ, cập nhật…", "why it left: shutdown, sleep, update…"
    ),
    _envelope("Presence.return_wall_ms", "Dự kiến trở lại lúc", "when it expects to return"),
    _envelope("Beat.epoch", "Mã của lần chạy chương trình", "this start of the agent"),
    _envelope("Beat.number", "Số thứ tự nhịp", "number of the heartbeat"),
    _envelope("Beat.boot_ms", "Thời gian từ lúc khởi động", "time since boot"),
    _envelope("Beat.boot_id", "Mã của lần khởi động", "name of this boot"),
    _envelope("EnrolRequest.token", "Mã ghi danh (chỉ lúc ghi danh)", "enrolment token (once)"),
    _envelope("EnrolRequest.version", "Phiên bản chương trình", "version of the agent"),
    _envelope("EnrolRequest.label", "Nhãn của máy do người cài đặt ghi", "label typed at enrolment"),
    _envelope("EnrolRequest.asset_code", "Mã tài sản do người cài đặt ghi", "asset code typed at enrolment"),
    _envelope(
        "EnrolRequest.staff_group", "Mã nhóm cán bộ do người cài đặt ghi", "staff group typed at enrolment"
    ),
    _envelope(
        "EnrolRequest.fingerprint",
        "Số sê-ri bo mạch và ổ đĩa, mã SMBIOS, địa chỉ MAC gốc của card dây (chỉ lúc ghi danh)",
        "serials of board and disks, SMBIOS UUID, burnt-in MACs of wired cards (at enrolment)",
    ),
)


def declared(probes: Mapping[str, Probe]) -> list[Declared]:
    """All fields: the envelope's first, then each probe's in its own order."""
    return [*ENVELOPE, *(_of(probe, one) for probe in probes.values() for one in probe.fields)]


def _of(probe: Probe, one: Field) -> Declared:
    kind = "fact" if one.fact else "sample"
    return Declared(one.name, kind, one.vi, one.en, one.unit, one.tags, probe.name)
