"""Tell every field that leaves this machine, in Vietnamese.

Examples:
  hatang-agent fields
  hatang-agent fields --lang en
  hatang-agent fields --json
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json

from hatang_agent import registry
from hatang_agent.declared import Declared, declared

HEADS = {
    "vi": {"": "Phần bao quanh mỗi tin gửi đi", "probe": "Phép đo", "never": "Không bao giờ thu thập"},
    "en": {"": "Envelope of every message", "probe": "Probe", "never": "Never collected"},
}
NEVER = {
    "vi": "tên đăng nhập, thư mục cá nhân, thư điện tử, lịch sử duyệt web hoặc DNS, tiêu đề cửa sổ, "
    "ảnh màn hình, phím gõ, tên tệp, dòng lệnh, lịch sử USB, tên Wi-Fi, vị trí, hình ảnh camera",
    "en": "login names, profile folders, mail accounts, browser or DNS history, window titles, screenshots, "
    "keystrokes, file names, command lines, USB history, Wi-Fi names, locations, camera pictures",
}
NOTES = {
    "vi": (
        "Tất cả chỉ gửi tới bộ thu mà máy đã ghi danh.",
        "Phép đo networks và services hỏi những địa chỉ có trong cấu hình; ở đó chỉ thấy địa chỉ IP của máy "
        "và tên chương trình hatang-agent.",
        "Trong chữ do phần mềm khác in ra (evidence, why, how, thông báo lỗi), địa chỉ thư điện tử, thư mục "
        "cá nhân, tên người dùng và tên máy được thay bằng dấu ….",
    ),
    "en": (
        "All of it goes to the collector this machine is enrolled at, and to nobody else.",
        "The probes networks and services ask the addresses in the configuration; these see the IP address "
        "of this machine and the program's name, hatang-agent.",
        "In words printed by other programs (evidence, why, how, messages of errors) mail addresses, folders "
        "of people, names of users and of the machine are replaced by ….",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``fields``."""
    parser.add_argument("--json", action="store_true", help="as JSON, both languages")
    parser.add_argument("--lang", choices=["vi", "en"], default="vi", help="language (default: vi)")


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    found = declared(registry.probes())
    if args.json:
        print(json.dumps([dataclasses.asdict(one) for one in found], ensure_ascii=False, indent=2))
        return 0
    heads = HEADS[args.lang]
    width = max(len(one.name) for one in found)
    for probe, group in itertools.groupby(found, key=lambda one: one.probe):
        print(f"{heads['probe']} {probe}" if probe else heads[""])
        for one in group:
            print(f"  {one.name:<{width}}  {_text(one, args.lang)}")
        print()
    for note in NOTES[args.lang]:
        print(note)
    print(f"{heads['never']}: {NEVER[args.lang]}.")
    return 0


def _text(one: Declared, lang: str) -> str:
    unit = f" ({one.unit})" if one.unit else ""
    tags = f" [{', '.join(one.tags)}]" if one.tags else ""
    return f"{one.vi if lang == 'vi' else one.en}{unit}{tags}"
