"""The collector for a check-up: brokers, enrolment, signed configuration.

No measurement is sent: a broker is asked for a connection and a login, the enrolment port for its
certificate.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hatang_agent import __version__, remoteconfig
from hatang_agent.checkup import Area, Finding, State, Words
from hatang_agent.checkup_machine import ENROLL
from hatang_agent.checkup_work import Job
from hatang_agent.config import AgentConfig, with_remote
from hatang_agent.enrolment import CA_ROUTE, EnrolmentError, checked_url
from hatang_agent.identity import Credential
from hatang_agent.publish_events import Account
from hatang_agent.registry import Probe
from hatang_agent.strictconfig import ConfigError
from hatang_agent.wire.messages import BrokerAddress
from hatang_agent.wire.secrets import broker_password, config_key

STEP_S: Final = 4.0
"""Seconds that each step towards a broker may take: the connection, the encryption, the login."""
PIN_DIGITS: Final = 32

_LINE: Final = Words(
    "kiểm tra đường truyền và tường lửa; số đo vẫn được giữ lại trên máy",
    "check the line and the firewall; measurements are kept on this machine until then",
)


def settings_in_force(
    path: Path, credential: Credential, config: AgentConfig, probes: Mapping[str, Probe]
) -> tuple[AgentConfig, Finding]:
    """The settings with the kept signed configuration on top, as the running agent has them."""
    kept = remoteconfig.KeptConfig(path, credential.agent, config_key(credential.secret)).current
    if kept is None:
        said = Words("cấu hình đã ký: chưa nhận được cái nào", "signed configuration: none received yet")
        return config, Finding(Area.COLLECTOR, State.NOTE, "config.none", said)
    try:
        applied = with_remote(config, kept.content, probes)
    except ConfigError as error:
        said = Words(
            f"cấu hình đã ký số {kept.number}: không dùng được ({error})",
            f"signed configuration {kept.number}: cannot be used ({error})",
        )
        todo = Words(
            "sửa ở trang Cài đặt của bộ thu, hoặc cập nhật chương trình trên máy này",
            "correct it on the collector's page Settings, or update the program on this machine",
        )
        return config, Finding(Area.COLLECTOR, State.BAD, "config.refused", said, todo)
    said = Words(
        f"cấu hình đã ký số {kept.number}: đang dùng", f"signed configuration {kept.number}: in force"
    )
    return applied, Finding(Area.COLLECTOR, State.GOOD, "config.in_force", said)


def broker_job(broker: BrokerAddress, credential: Credential) -> Job:
    """One broker address as something to find out."""
    place = f"{broker.path} {broker.host}:{broker.port}"
    late = _bad("broker.late", Words(f"{place}: không trả lời kịp", f"{place}: no answer in time"), _LINE)
    return Job(Words(place, place), lambda: list(_broker(place, broker, credential)), late)


def _bad(code: str, said: Words, todo: Words) -> Finding:
    return Finding(Area.COLLECTOR, State.BAD, code, said, todo)


def _broker(place: str, broker: BrokerAddress, credential: Credential) -> Iterator[Finding]:
    """Name, connection, encryption, login, collector; stops at the first that is bad."""
    context = None
    if broker.tls:
        context = ssl.create_default_context(cadata=credential.ca_pem or None)
    trouble = _knock(place, broker.host, broker.port, context)
    if trouble is not None:
        yield trouble
        return
    secured = "TCP, TLS" if broker.tls else "TCP"
    said = Words(f"{place}: {secured} tốt", f"{place}: {secured} ok")
    yield Finding(Area.COLLECTOR, State.GOOD, "broker.connected", said)
    yield from _login(place, broker, credential)


def _knock(place: str, host: str, port: int, context: ssl.SSLContext | None) -> Finding | None:
    """Connect and hang up; what is wrong, None when nothing is."""
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return _bad(
            "broker.no_name",
            Words(f"{place}: không phân giải được tên ({error})", f"{place}: the name is unknown ({error})"),
            Words("kiểm tra DNS của máy này", "check the name server (DNS) of this machine"),
        )
    try:
        with socket.create_connection((host, port), STEP_S) as plain:
            if context is not None:
                with context.wrap_socket(plain, server_hostname=host):
                    pass
    except ssl.SSLError as error:
        return _bad(
            "broker.tls",
            Words(f"{place}: chứng thực TLS không đạt ({error})", f"{place}: TLS failed ({error})"),
            Words(
                "kiểm tra giờ của máy; nếu giờ đúng thì ghi danh lại với --again",
                "check the clock; if it is right, enrol again with --again",
            ),
        )
    except OSError as error:
        said = Words(f"{place}: không kết nối được ({error})", f"{place}: cannot connect ({error})")
        return _bad("broker.unreachable", said, _LINE)
    return None


def _login(place: str, broker: BrokerAddress, credential: Credential) -> Iterator[Finding]:
    from hatang_agent.publish import try_login

    password = broker_password(credential.secret)
    account = Account(credential.agent, "0" * 16, password, credential.role, __version__, credential.ca_pem)
    try:
        trial = try_login(broker, account, STEP_S)
    except (OSError, ValueError) as error:
        said = Words(f"{place}: không đăng nhập được ({error})", f"{place}: no login ({error})")
        yield _bad("broker.unreachable", said, _LINE)
        return
    if trial.refused:
        yield _bad(
            "broker.refused",
            Words(
                f"{place}: không đăng nhập được ({trial.refused})",
                f"{place}: the login was refused ({trial.refused})",
            ),
            Words("ghi danh lại với --again", "enrol again with --again"),
        )
        return
    said = Words(f"{place}: đăng nhập tốt", f"{place}: login ok")
    yield Finding(Area.COLLECTOR, State.GOOD, "broker.login", said)
    if trial.hello:
        said = Words(f"{place}: có bộ thu", f"{place}: a collector is there")
        yield Finding(Area.COLLECTOR, State.GOOD, "collector.there", said)
        return
    yield _bad(
        "collector.absent",
        Words(f"{place}: không thấy bộ thu", f"{place}: no collector is there"),
        Words(
            "khởi động hatang-collector; số đo vẫn được giữ lại trên máy này",
            "start hatang-collector; measurements are kept on this machine until then",
        ),
    )


def enrolment_job(url: str, *, needed: bool) -> Job:
    """The enrolment address as something to find out. ``needed``: this machine has no identity yet."""
    name = Words(f"ghi danh {url}", f"enrolment {url}")
    return Job(
        name, lambda: [_enrolment(url, needed=needed)], _not_there(url, Words("quá giờ", "no answer"), needed)
    )


def _enrolment(url: str, *, needed: bool) -> Finding:
    """Whether a collector gives identities there; its authority's pin can be compared with its line."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    try:
        parts = urlsplit(checked_url(url))
    except EnrolmentError as error:
        said = Words(f"ghi danh: {error}", f"enrolment: {error}")
        return Finding(Area.COLLECTOR, State.BAD, "enrolment.address", said, ENROLL)
    host = parts.hostname or ""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE  # nothing is sent; a person compares the pin
    connection: HTTPConnection = (
        HTTPSConnection(host, parts.port, timeout=STEP_S, context=blind)
        if parts.scheme == "https"
        else HTTPConnection(host, parts.port, timeout=STEP_S)
    )
    try:
        connection.request("GET", CA_ROUTE, headers={"User-Agent": f"hatang-agent/{__version__}"})
        answer = connection.getresponse().read(64 * 1024)
    except (OSError, HTTPException) as error:
        return _not_there(url, Words(str(error), str(error)), needed)
    finally:
        connection.close()
    try:
        der = ssl.PEM_cert_to_DER_cert(answer.decode("ascii").strip())
    except ValueError:
        said = Words(f"ghi danh {url}: có máy chủ trả lời", f"enrolment {url}: a server answers")
        return Finding(Area.COLLECTOR, State.GOOD, "enrolment.answers", said)
    pin = hashlib.sha256(der).hexdigest()[:PIN_DIGITS]
    said = Words(f"ghi danh {url}: có bộ thu, mã ghim {pin}", f"enrolment {url}: a collector, pin {pin}")
    return Finding(Area.COLLECTOR, State.GOOD, "enrolment.there", said)


def _not_there(url: str, why: Words, needed: bool) -> Finding:
    said = Words(f"ghi danh {url}: không tới được ({why.vi})", f"enrolment {url}: not reached ({why.en})")
    if needed:
        return _bad("enrolment.unreachable", said, _LINE)
    more = Words("; chỉ cần khi ghi danh lại", "; needed only to enrol again")
    return Finding(
        Area.COLLECTOR,
        State.NOTE,
        "enrolment.unreachable",
        Words(said.vi + more.vi, said.en + more.en),
    )
