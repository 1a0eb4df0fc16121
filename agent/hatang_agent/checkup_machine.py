"""The machine itself for a check-up: clock, state folder, identity, outbox, rights. Nothing is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hatang_agent.checkup import Area, Finding, State, Words
from hatang_agent.checkup_work import Job
from hatang_agent.identity import Credential, IdentityError, StateLock
from hatang_agent.net.answer import Outcome
from hatang_agent.outbox_reading import OutboxUnreadable, look_into
from hatang_agent.system import System

LITTLE_SPACE: Final = 100 * 1024 * 1024
"""Bytes free below which the outbox may not find room."""
_EARLIEST_MS: Final = 1_735_689_600_000  # 2025-01-01: before it, the clock was never set
_LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01

_ITSELF: Final = "127.0.0.1"
_ECHO_S: Final = 0.5
_OWNER: Final = Words(
    "chạy bằng đúng người dùng của chương trình (hoặc sudo)", "run as the agent's own user (or with sudo)"
)
ENROLL: Final = Words(
    "ghi danh bằng dòng lệnh bộ thu đưa ra: hatang-agent enroll --url ĐỊA-CHỈ --token MÃ --pin GHIM",
    "enrol with the line the collector gives: hatang-agent enroll --url URL --token TOKEN --pin PIN",
)


def clock(now_ms: int) -> Finding:
    """Whether the clock was ever set."""
    if _EARLIEST_MS <= now_ms <= _LATEST_MS:
        return Finding(
            Area.MACHINE, State.GOOD, "clock.plausible", Words("đồng hồ: hợp lý", "clock: plausible")
        )
    return Finding(
        Area.MACHINE,
        State.BAD,
        "clock.wrong",
        Words("đồng hồ: sai", "clock: wrong"),
        Words(
            "đặt lại giờ hệ thống (NTP), kiểm tra pin CMOS",
            "set the system's time (NTP), check the CMOS battery",
        ),
    )


def folder(path: Path) -> Iterator[Finding]:
    """Whether the state folder can be used, and whether an agent runs on it."""
    place = Words(f"thư mục {path}", f"folder {path}")
    if not path.exists():
        said = Words(
            f"{place.vi}: chưa có; được tạo khi ghi danh", f"{place.en}: not there yet; enrolment makes it"
        )
        yield Finding(Area.MACHINE, State.NOTE, "folder.absent", said)
        return
    if not os.access(path, os.W_OK | os.X_OK):
        said = Words(f"{place.vi}: không ghi được", f"{place.en}: cannot be written")
        yield Finding(Area.MACHINE, State.BAD, "folder.not_writable", said, _OWNER)
        return
    try:
        with StateLock(path):
            runs = Words("chương trình hiện không chạy", "the agent is not running now")
    except IdentityError:
        runs = Words("chương trình đang chạy", "the agent is running")
    said = Words(f"{place.vi}: ghi được; {runs.vi}", f"{place.en}: writable; {runs.en}")
    yield Finding(Area.MACHINE, State.GOOD, "folder.writable", said)
    free = shutil.disk_usage(path).free
    if free < LITTLE_SPACE:
        megabytes = free // (1024 * 1024)
        yield Finding(
            Area.MACHINE,
            State.BAD,
            "folder.little_space",
            Words(
                f"{place.vi}: ổ đĩa chỉ còn {megabytes} MB",
                f"{place.en}: only {megabytes} MB left on its disk",
            ),
            Words("xóa bớt tệp trên ổ đĩa đó", "make room on that disk"),
        )


def identity(
    credential: Credential | None, trouble: IdentityError | None = None, service: Path | None = None
) -> Finding:
    """Who this agent is; ``trouble`` is why the credential could not be read.

    ``service`` is the folder of a service that is installed here and is not the one looked at.
    """
    if trouble is not None:
        said = Words(f"danh tính: {trouble}", f"identity: {trouble}")
        return Finding(Area.MACHINE, State.BAD, "identity.unreadable", said, _OWNER)
    if credential is None:
        said = Words("danh tính: chưa ghi danh", "identity: not enrolled")
        todo = ENROLL
        if service is not None:
            todo = Words(
                f"dịch vụ trên máy này dùng thư mục {service}: chạy sudo hatang-agent doctor",
                f"the service on this machine uses the folder {service}: run sudo hatang-agent doctor",
            )
        return Finding(Area.MACHINE, State.BAD, "identity.not_enrolled", said, todo)
    name = f"{credential.agent} ({credential.role})"
    said = Words(f"danh tính: {name}", f"identity: {name}")
    return Finding(Area.MACHINE, State.GOOD, "identity.enrolled", said)


def outbox(path: Path) -> Finding:
    """What waits to be sent."""
    try:
        counts = look_into(path)
    except OutboxUnreadable as error:
        said = Words(f"hộp thư đi: {error}", f"outbox: {error}")
        return Finding(Area.MACHINE, State.BAD, "outbox.unreadable", said, _OWNER)
    if counts is None:
        said = Words("hộp thư đi: còn trống", "outbox: none yet")
        return Finding(Area.MACHINE, State.GOOD, "outbox.none", said)
    told = f"{counts.runs} + {counts.reports}"
    said = Words(
        f"hộp thư đi: {told} mục chờ gửi, {counts.used_bytes} byte",
        f"outbox: {told} items waiting, {counts.used_bytes} bytes",
    )
    return Finding(Area.MACHINE, State.GOOD, "outbox.counted", said)


def rights_job(system: System) -> Job:
    """The rights of this process as something to find out."""
    late = Finding(
        Area.RIGHTS,
        State.BAD,
        "rights.late",
        Words(
            "số sê-ri của máy: chưa đọc xong khi hết giờ", "the machine's serials: not read when time was up"
        ),
        Words("xem tải và ổ đĩa của máy", "look at the machine's load and disks"),
    )
    return Job(Words("quyền", "rights"), lambda: list(_rights(system)), late)


def _rights(system: System) -> Iterator[Finding]:
    """Whether this process may read what enrolment recognises a machine by."""
    from hatang_agent.probes import hardware

    if system.privileged():
        said = Words("chạy bằng quyền quản trị", "running with the rights of an administrator")
    else:
        said = Words(
            "không chạy bằng quyền quản trị: đây là kết quả của người dùng này, dịch vụ có thể đọc được hơn",
            "not running as administrator: what follows holds for this user, the service may read more",
        )
    yield Finding(Area.RIGHTS, State.NOTE, "rights.user", said)
    yield _echoes(system)
    try:
        values = hardware.fingerprint(system)
    except PermissionError as error:
        yield Finding(
            Area.RIGHTS,
            State.LACKING,
            "rights.serials",
            Words(
                f"không có quyền đọc số sê-ri của máy ({error.filename})",
                f"no right to read the machine's serials ({error.filename})",
            ),
            Words(
                "ghi danh bằng quyền quản trị, nếu không máy sẽ không được nhận lại sau khi bị xóa trắng",
                "enrol as administrator, or this machine is not recognised after it was wiped",
            ),
        )
        return
    if values:
        said = Words(
            f"đọc được {len(values)} dấu hiệu phần cứng để nhận lại máy",
            f"{len(values)} hardware values by which the machine is recognised can be read",
        )
        yield Finding(Area.RIGHTS, State.GOOD, "rights.serials", said)
        return
    said = Words(
        "máy không cho biết số sê-ri nào: không nhận lại được máy sau khi bị xóa trắng",
        "the machine tells no serials: it is not recognised after it was wiped",
    )
    yield Finding(Area.RIGHTS, State.NOTE, "rights.no_serials", said)


def _echoes(system: System) -> Finding:
    """Whether echo requests may be sent; one is sent to this machine itself."""
    sent = system.network.ping(_ITSELF, 1, 0.0, _ECHO_S)
    if sent.outcome is not Outcome.NOT_SENT:
        said = Words(
            f"gửi được gói hỏi ICMP ({sent.engine})", f"echo requests (ICMP) can be sent ({sent.engine})"
        )
        return Finding(Area.RIGHTS, State.GOOD, "rights.icmp", said)
    said = Words(
        f"không gửi được gói hỏi ICMP ({sent.detail})", f"echo requests (ICMP) cannot be sent ({sent.detail})"
    )
    todo = Words(
        "cấp quyền CAP_NET_RAW cho dịch vụ, hoặc mở net.ipv4.ping_group_range; không có thì các mạng được đo "
        "bằng kết nối TCP",
        "give the service CAP_NET_RAW, or widen net.ipv4.ping_group_range; without it networks are measured "
        "by TCP connections",
    )
    return Finding(Area.RIGHTS, State.LACKING, "rights.icmp", said, todo)
