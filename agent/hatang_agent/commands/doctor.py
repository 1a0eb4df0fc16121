"""Check everything the agent needs, one line each, with the next step where something is bad.

Exit code 0 when all is well, 1 when something is bad. Changes nothing and sends no measurement.

Examples:
  hatang-agent doctor
  hatang-agent doctor --lang en
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hatang_agent import __version__, config, registry
from hatang_agent.identity import Credential, IdentityError, StateLock, load_credential
from hatang_agent.outbox_reading import OutboxUnreadable, look_into
from hatang_agent.publish_events import Account
from hatang_agent.system import LocalSystem, System
from hatang_agent.wire.messages import BrokerAddress
from hatang_agent.wire.secrets import broker_password

TIMEOUT_S = 5.0
_EARLIEST_MS = 1_735_689_600_000  # 2025-01-01: before it, the clock was never set
_LATEST_MS = 4_102_444_800_000  # 2100-01-01


@dataclass(frozen=True)
class Finding:
    """One line: what was checked, in both languages; ``bad`` findings say what to do."""

    ok: bool
    vi: str
    en: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``doctor``."""
    parser.add_argument("--lang", choices=["vi", "en"], default="vi", help="language (default: vi)")


def run(args: argparse.Namespace) -> int:
    """Print the findings."""
    system = LocalSystem()
    settings = config.load_file(args.config, system, registry.probes())
    folder = config.state_dir(settings, system, args.state)
    bad = 0
    for finding in examine(system, folder):
        bad += not finding.ok
        mark = ("tốt" if finding.ok else "LỖI") if args.lang == "vi" else ("ok " if finding.ok else "BAD")
        print(f"{mark}  {finding.vi if args.lang == 'vi' else finding.en}")
    return 1 if bad else 0


def examine(system: System, folder: Path) -> Iterator[Finding]:
    """Every check in turn."""
    yield _clock(system.wall_ms())
    yield _folder(folder)
    try:
        credential = load_credential(folder)
    except IdentityError as error:
        yield Finding(False, f"danh tính: {error}", f"identity: {error}")
        return
    if credential is None:
        yield Finding(
            False,
            "danh tính: chưa ghi danh; chạy hatang-agent enroll --url ĐỊA-CHỈ --token MÃ",
            "identity: not enrolled; run hatang-agent enroll --url URL --token TOKEN",
        )
        return
    yield Finding(
        True,
        f"danh tính: {credential.agent} ({credential.role})",
        f"identity: {credential.agent} ({credential.role})",
    )
    yield _outbox(folder)
    for broker in credential.brokers:
        yield from _broker(broker, credential)


def _clock(now_ms: int) -> Finding:
    if _EARLIEST_MS <= now_ms <= _LATEST_MS:
        return Finding(True, "đồng hồ: hợp lý", "clock: plausible")
    return Finding(
        False,
        "đồng hồ: sai; đặt lại giờ hệ thống (NTP), kiểm tra pin CMOS",
        "clock: wrong; set the system's time (NTP), check the CMOS battery",
    )


def _folder(folder: Path) -> Finding:
    if not folder.exists():
        return Finding(
            False,
            f"thư mục {folder}: chưa có; được tạo khi ghi danh",
            f"folder {folder}: not there yet; enrolment makes it",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            False,
            f"thư mục {folder}: không ghi được; chạy bằng đúng người dùng của chương trình",
            f"folder {folder}: cannot be written; run as the agent's own user",
        )
    try:
        with StateLock(folder):
            return Finding(
                True,
                f"thư mục {folder}: ghi được; chương trình hiện không chạy",
                f"folder {folder}: writable; the agent is not running now",
            )
    except IdentityError:
        return Finding(
            True,
            f"thư mục {folder}: ghi được; chương trình đang chạy",
            f"folder {folder}: writable; the agent is running",
        )


def _outbox(folder: Path) -> Finding:
    try:
        counts = look_into(folder)
    except OutboxUnreadable as error:
        return Finding(False, f"hộp thư đi: {error}", f"outbox: {error}")
    if counts is None:
        return Finding(True, "hộp thư đi: còn trống", "outbox: none yet")
    told = f"{counts.runs} + {counts.reports}"
    return Finding(
        True,
        f"hộp thư đi: {told} mục chờ gửi, {counts.used_bytes} byte",
        f"outbox: {told} items waiting, {counts.used_bytes} bytes",
    )


def _broker(broker: BrokerAddress, credential: Credential) -> Iterator[Finding]:
    """Name, connection, encryption, login, collector; stops at the first that is bad."""
    place = f"{broker.path} {broker.host}:{broker.port}"
    try:
        socket.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Finding(
            False,
            f"{place}: không phân giải được tên ({error}); kiểm tra DNS",
            f"{place}: the name cannot be resolved ({error}); check DNS",
        )
        return
    try:
        with _connected(broker, credential):
            pass
    except ssl.SSLError as error:
        yield Finding(
            False,
            f"{place}: chứng thực TLS không đạt ({error}); kiểm tra giờ máy, hoặc ghi danh lại với --again",
            f"{place}: TLS failed ({error}); check the clock, or enrol again with --again",
        )
        return
    except OSError as error:
        yield Finding(
            False,
            f"{place}: không kết nối được ({error}); kiểm tra đường truyền và tường lửa",
            f"{place}: cannot connect ({error}); check the line and the firewall",
        )
        return
    secured = "TCP, TLS" if broker.tls else "TCP"
    yield Finding(True, f"{place}: {secured} tốt", f"{place}: {secured} ok")
    yield from _login(place, broker, credential)


@contextlib.contextmanager
def _connected(broker: BrokerAddress, credential: Credential) -> Iterator[None]:
    with socket.create_connection((broker.host, broker.port), TIMEOUT_S) as plain:
        if not broker.tls:
            yield
            return
        context = ssl.create_default_context(cadata=credential.ca_pem or None)
        with context.wrap_socket(plain, server_hostname=broker.host):
            yield


def _login(place: str, broker: BrokerAddress, credential: Credential) -> Iterator[Finding]:
    from hatang_agent.publish import try_login

    account = Account(
        credential.agent,
        "0" * 16,
        broker_password(credential.secret),
        credential.role,
        __version__,
        credential.ca_pem,
    )
    try:
        trial = try_login(broker, account, TIMEOUT_S)
    except (OSError, ValueError) as error:
        yield Finding(False, f"{place}: {error}", f"{place}: {error}")
        return
    if trial.refused:
        yield Finding(
            False,
            f"{place}: không đăng nhập được ({trial.refused}); ghi danh lại với --again",
            f"{place}: the login was refused ({trial.refused}); enrol again with --again",
        )
        return
    yield Finding(True, f"{place}: đăng nhập tốt", f"{place}: login ok")
    if trial.hello:
        yield Finding(True, f"{place}: có bộ thu", f"{place}: a collector is there")
    else:
        yield Finding(
            False,
            f"{place}: không thấy bộ thu; khởi động hatang-collector, số đo vẫn được giữ lại",
            f"{place}: no collector is there; start hatang-collector, measurements are kept until then",
        )
