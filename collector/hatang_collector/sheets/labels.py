"""What the values of enumerations are called on pages and in files, and what else people write for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from hatang_collector.domain.estate import (
    AssetKind,
    AssetState,
    DayKind,
    LinkKind,
    Method,
    Network,
    SuccessionKind,
)
from hatang_collector.domain.folding import bare
from hatang_collector.sheets.said import Language


@dataclass(frozen=True, slots=True)
class Label:
    """The name of one value in both languages, and other spellings that are understood."""

    vi: str
    en: str
    also: tuple[str, ...] = ()


LABELS: Final[Mapping[type[StrEnum], Mapping[StrEnum, Label]]] = {
    SuccessionKind: {
        SuccessionKind.MERGE: Label("Sáp nhập", "Merger", ("nhập", "hợp nhất")),
        SuccessionKind.SPLIT: Label("Chia tách", "Split", ("tách", "chia")),
        SuccessionKind.RENAME: Label("Đổi tên", "Renaming"),
        SuccessionKind.MOVE: Label("Chuyển", "Move", ("chuyển về",)),
    },
    LinkKind: {
        LinkKind.CPNET: Label("Truyền số liệu chuyên dùng (CPNet)", "Government network (CPNet)", ("TSLCD",)),
        LinkKind.WAN: Label("Mạng diện rộng (WAN)", "WAN", ("mạng diện rộng",)),
        LinkKind.FTTH: Label("Cáp quang (FTTH)", "Fibre (FTTH)", ("cáp quang", "internet cáp quang")),
        LinkKind.LEASED: Label("Kênh thuê riêng", "Leased line", ("leased line",)),
        LinkKind.LTE: Label("Di động 4G/5G", "Mobile 4G/5G", ("4G", "5G", "di động")),
    },
    Network: {
        Network.CPNET: Label("Mạng CPNet", "CPNet"),
        Network.INTERNET: Label("Internet", "Internet"),
        Network.SERVICE: Label("Dịch vụ dùng chung", "Shared service", ("dịch vụ",)),
    },
    Method: {
        Method.ICMP: Label("ICMP (ping)", "ICMP (ping)", ("ping",)),
        Method.TCP: Label("TCP", "TCP"),
        Method.HTTP: Label("HTTP", "HTTP", ("web", "https")),
        Method.DNS: Label("DNS", "DNS", ("tên miền",)),
    },
    AssetKind: {
        AssetKind.DESKTOP: Label(
            "Máy tính để bàn", "Desktop computer", ("PC", "máy bàn", "máy vi tính", "máy tính")
        ),
        AssetKind.LAPTOP: Label("Máy tính xách tay", "Laptop", ("máy xách tay",)),
        AssetKind.SERVER: Label("Máy chủ", "Server"),
        AssetKind.ROUTER: Label("Bộ định tuyến", "Router"),
        AssetKind.SWITCH: Label("Bộ chuyển mạch", "Switch", ("thiết bị chuyển mạch",)),
        AssetKind.FIREWALL: Label("Tường lửa", "Firewall", ("thiết bị tường lửa",)),
        AssetKind.AP: Label(
            "Bộ phát Wi-Fi", "Access point", ("wifi", "wi-fi", "bộ phát wifi", "access point")
        ),
        AssetKind.MODEM: Label("Modem", "Modem", ("modem quang", "ONT")),
        AssetKind.PRINTER: Label("Máy in", "Printer"),
        AssetKind.SCANNER: Label("Máy quét", "Scanner", ("máy scan",)),
        AssetKind.PHOTOCOPIER: Label("Máy photocopy", "Photocopier", ("photocopy", "máy phô tô")),
        AssetKind.CAMERA: Label("Camera", "Camera", ("camera quan sát", "camera giám sát")),
        AssetKind.NVR: Label("Đầu ghi hình", "Video recorder", ("đầu ghi", "đầu ghi camera")),
        AssetKind.NAS: Label("Thiết bị lưu trữ mạng (NAS)", "Network storage (NAS)", ("thiết bị lưu trữ",)),
        AssetKind.UPS: Label("Bộ lưu điện (UPS)", "UPS", ("bộ lưu điện",)),
        AssetKind.KIOSK: Label("Kiosk tra cứu", "Kiosk", ("ki ốt", "kiosk tra cứu thông tin")),
        AssetKind.BARCODE_READER: Label(
            "Thiết bị đọc mã vạch", "Barcode reader", ("máy đọc mã vạch", "đầu đọc mã vạch")
        ),
        AssetKind.DISPLAY: Label("Màn hình hiển thị", "Display", ("màn hình", "tivi")),
        AssetKind.LED_BOARD: Label("Bảng LED", "LED board", ("bảng LED điện tử",)),
        AssetKind.SURGE_PROTECTOR: Label("Chống sét lan truyền", "Surge protector", ("chống sét",)),
        AssetKind.MEETING_ROOM: Label("Phòng họp trực tuyến", "Video meeting room", ("họp trực tuyến",)),
        AssetKind.PHONE: Label("Điện thoại", "Phone", ("điện thoại IP",)),
        AssetKind.OTHER: Label("Khác", "Other"),
    },
    AssetState: {
        AssetState.IN_USE: Label("Đang sử dụng", "In use", ("đang dùng", "sử dụng", "tốt")),
        AssetState.SPARE: Label("Dự phòng", "Spare", ("chưa sử dụng", "trong kho")),
        AssetState.BROKEN: Label("Hỏng", "Broken", ("hư", "hư hỏng", "chờ sửa")),
        AssetState.DISPOSED: Label("Đã thanh lý", "Disposed of", ("thanh lý",)),
        AssetState.LOST: Label("Mất", "Lost", ("thất lạc",)),
    },
    DayKind: {
        DayKind.CLOSED: Label("Nghỉ", "Closed"),
        DayKind.WORKED: Label("Làm việc", "Worked", ("làm bù", "đi làm")),
    },
}
"""Of every value of every enumeration of the estate, in the order people see."""


def label(member: StrEnum, language: Language) -> str:
    """What a value is called in a language."""
    names = LABELS[type(member)][member]
    return names.vi if language == "vi" else names.en


def labels(kind: type[StrEnum], language: Language) -> list[str]:
    """The names of all values of an enumeration."""
    return [names.vi if language == "vi" else names.en for names in LABELS[kind].values()]


def value_of(kind: type[StrEnum], text: str) -> StrEnum | None:
    """The value a text means: its code, its name in either language or another known spelling."""
    return _spellings(kind).get(bare(text))


@cache
def _spellings(kind: type[StrEnum]) -> Mapping[str, StrEnum]:
    return {
        bare(spelling): member
        for member, names in LABELS[kind].items()
        for spelling in (member.value, names.vi, names.en, *names.also)
    }
