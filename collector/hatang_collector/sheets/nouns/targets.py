"""The sheet of what is asked to know whether a network or service is reached."""

from __future__ import annotations

from typing import Final

from hatang_collector.domain.estate import Method, Network, Target
from hatang_collector.sheets.contract import PERIOD, Column, Kind, Sheet

SHEET: Final = Sheet(
    name="dich-do",
    noun="targets",
    row=Target,
    title_vi="Đích đo",
    title_en="Targets",
    one_vi="đích đo",
    one_en="target",
    help_vi="Địa chỉ mà trạm đo hỏi thử để biết mạng hoặc dịch vụ có thông hay không.",
    help_en="What is asked to know whether a network or a service is reached.",
    also=("Đích kiểm tra",),
    columns=(
        Column(
            "code",
            "Mã đích",
            "Code",
            Kind.CODE,
            required=True,
            help_vi="Mã do đơn vị tự đặt.",
            help_en="A code of your own.",
            example="cpnet-hue",
            width=16,
            also=("Mã",),
        ),
        Column(
            "network",
            "Mạng",
            "Network",
            Kind.CHOICE,
            required=True,
            choices=Network,
            help_vi="Đích này chứng tỏ điều gì.",
            help_en="What reaching it proves.",
            example="Mạng CPNet",
            width=20,
        ),
        Column(
            "method",
            "Cách đo",
            "Method",
            Kind.CHOICE,
            required=True,
            choices=Method,
            help_vi="ICMP, TCP, HTTP hoặc DNS.",
            help_en="ICMP, TCP, HTTP or DNS.",
            example="TCP",
            width=12,
            also=("Phương thức",),
        ),
        Column(
            "address",
            "Địa chỉ",
            "Address",
            required=True,
            help_vi="ICMP: tên máy hoặc IP; TCP: máy:cổng; HTTP: địa chỉ web; DNS: tên miền.",
            help_en="ICMP: host; TCP: host:port; HTTP: address; DNS: name.",
            example="cong.hue.gov.vn:443",
            width=34,
        ),
        Column(
            "service",
            "Dịch vụ",
            "Service",
            Kind.REFERENCE,
            refers="services",
            help_vi="Mã hoặc tên dịch vụ, khi Mạng là “Dịch vụ dùng chung”.",
            help_en="Code or name of the service, when the network is a shared service.",
            width=20,
            also=("Mã dịch vụ",),
        ),
        Column(
            "unit",
            "Đơn vị",
            "Unit",
            Kind.REFERENCE,
            refers="units",
            help_vi="Đơn vị (cả trực thuộc) dùng đích này; để trống: mọi đơn vị.",
            help_en="The unit (with all below it) it is for; blank: everybody.",
            width=24,
            also=("Mã đơn vị",),
        ),
        *PERIOD,
    ),
)
