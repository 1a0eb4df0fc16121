# ruff: noqa: S608 - InfluxQL made of this file's own constants
"""The Grafana dashboard as code: ``python dashboards/build.py`` writes ``dashboards/json/``.

``--check`` writes nothing and exits 1 when the committed JSON differs from what this file says.

Queries are InfluxQL, which InfluxDB 1, 2 (through its DBRP mapping) and 3 all read. The rows under
"Dài hạn" name the retention policy of the hourly rollups, so they need InfluxDB 1 or 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

TARGET = Path(__file__).parent / "json" / "hatang-machines.json"
SOURCE = models.DataSourceRef(type_val="influxdb", uid="${datasource}")
AGENTS = '"agent" =~ /^$agent$/'


class InfluxQuery(Dataquery):
    """A raw InfluxQL query; the SDK has no query type for InfluxDB."""

    def __init__(self, ref_id: str, query: str, alias: str, result_format: str) -> None:
        self.ref_id, self.query, self.alias, self.result_format = ref_id, query, alias, result_format

    def to_json(self) -> dict[str, object]:
        """As Grafana's InfluxDB data source reads it."""
        shown: dict[str, object] = {"refId": self.ref_id, "rawQuery": True, "query": self.query}
        return shown | {"resultFormat": self.result_format} | ({"alias": self.alias} if self.alias else {})


class Query(Builder[InfluxQuery]):
    """Builder of an InfluxQuery."""

    def __init__(self, ref_id: str, query: str, alias: str = "", result_format: str = "time_series") -> None:
        self._internal = InfluxQuery(ref_id, query, alias, result_format)

    def build(self) -> InfluxQuery:
        """The query."""
        return self._internal


@dataclass(frozen=True, slots=True)
class Line:
    """One query of a chart: an expression of a measurement, one line for each group."""

    expression: str
    alias: str
    measurement: str
    groups: tuple[str, ...] = ("agent",)

    def query(self) -> str:
        """InfluxQL over time."""
        groups = ", ".join(["time($__interval)", *(f'"{name}"' for name in self.groups)])
        return (
            f"SELECT {self.expression} FROM {self.measurement}"
            f" WHERE $timeFilter AND {AGENTS} GROUP BY {groups} fill(none)"
        )


Panel = Builder[models.Panel]


def chart(title: str, unit: str, lines: Sequence[Line], *, every: str = "1m", note: str = "") -> Panel:
    """Lines over time, half the width."""
    legend = common.VizLegendOptions().show_legend(True).calcs(["lastNotNull", "max"])
    legend = legend.display_mode(common_models.LegendDisplayMode.TABLE)
    legend = legend.placement(common_models.LegendPlacement.BOTTOM)
    panel = timeseries.Panel().span_nulls(3_600_000).fill_opacity(8).line_width(1).legend(legend).min(0)
    panel = panel.title(title).description(note).datasource(SOURCE).unit(unit).interval(every)
    panel = panel.height(8).span(12)
    if unit == "percent":
        panel = panel.max(100)
    for letter, line in zip("ABCD", lines, strict=False):
        panel = panel.with_target(Query(letter, line.query(), line.alias))
    return panel


def number(title: str, unit: str, query: str, *, note: str = "", alias: str = "") -> Panel:
    """One figure (for each group), a sixth of the width."""
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    panel = stat.Panel().reduce_options(last).graph_mode(common_models.BigValueGraphMode.NONE)
    panel = panel.no_value("không có dữ liệu").title(title).description(note).datasource(SOURCE).unit(unit)
    return panel.height(5).span(6).with_target(Query("A", query, alias))


def listing(title: str, unit: str, query: str, *, note: str = "") -> Panel:
    """A table, half the width."""
    panel = table.Panel().title(title).description(note).datasource(SOURCE).unit(unit)
    return panel.height(8).span(12).with_target(Query("A", query, "", "table"))


def overview() -> list[Panel]:
    """How many machines report, and the worst figures of the moment."""
    alive = 'SELECT last("cpu_percent") AS "value" FROM "usage" WHERE {} GROUP BY "agent"'
    over_time = (
        'SELECT count("value") FROM (SELECT mean("cpu_percent") AS "value" FROM "usage" WHERE $timeFilter'
        ' GROUP BY time($__interval), "agent" fill(none)) WHERE $timeFilter'
        " GROUP BY time($__interval) fill(none)"
    )
    now = alive.format("time > now() - 10m")
    window = alive.format("$timeFilter")
    busiest = (
        'SELECT top("value", "agent", 10) AS "cpu_percent" FROM (SELECT mean("cpu_percent") AS "value"'
        f' FROM "usage" WHERE $timeFilter AND {AGENTS} GROUP BY "agent")'
    )
    count = timeseries.Panel().title("Số máy báo cáo theo thời gian").datasource(SOURCE).unit("none").min(0)
    count = count.interval("5m").height(5).span(12).fill_opacity(8)
    return [
        number(
            "Máy đang báo cáo",
            "none",
            f'SELECT count("value") FROM ({now})',
            note="Số máy có số liệu trong 10 phút vừa qua.",
        ),
        number(
            "Máy có báo cáo trong kỳ đang xem",
            "none",
            f'SELECT count("value") FROM ({window})',
            note="Số máy có ít nhất một số liệu trong khoảng thời gian đang chọn.",
        ),
        count.with_target(Query("A", over_time, "máy")),
        listing("Mười máy bận nhất", "percent", busiest, note="Mức dùng bộ xử lý trung bình trong kỳ."),
        listing(
            "Ổ đĩa: mức dùng mới nhất",
            "percent",
            f'SELECT last("disk_percent") AS "disk_percent" FROM "usage" WHERE $timeFilter AND {AGENTS}'
            ' GROUP BY "agent", "mount"',
        ),
    ]


def usage() -> list[Panel]:
    """Processor, memory, disks."""
    source, disk = '"usage"', ("agent", "mount")
    return [
        chart(
            "Bộ xử lý",
            "percent",
            [Line('mean("cpu_percent")', "$tag_agent", source)],
            note="Mức dùng bộ xử lý.",
        ),
        chart("Tải trung bình 1 phút (Linux)", "none", [Line('mean("load1")', "$tag_agent", source)]),
        chart("Bộ nhớ", "percent", [Line('mean("memory_percent")', "$tag_agent", source)]),
        chart(
            "Bộ nhớ: đang dùng và tổng số",
            "bytes",
            [
                Line('mean("memory_used")', "$tag_agent đang dùng", source),
                Line('last("memory_total")', "$tag_agent tổng số", source),
            ],
        ),
        chart("Bộ nhớ trao đổi", "percent", [Line('mean("swap_percent")', "$tag_agent", source)]),
        chart("Ổ đĩa", "percent", [Line('mean("disk_percent")', "$tag_agent $tag_mount", source, disk)]),
        chart(
            "Ổ đĩa: đã dùng và dung lượng",
            "bytes",
            [
                Line('last("disk_used")', "$tag_agent $tag_mount đã dùng", source, disk),
                Line('last("disk_total")', "$tag_agent $tag_mount dung lượng", source, disk),
            ],
        ),
    ]


def network() -> list[Panel]:
    """Interfaces: rates, errors, link."""
    source, groups, name = '"interfaces"', ("agent", "interface"), "$tag_agent $tag_interface"

    def increase(field: str) -> str:
        return f'non_negative_difference(last("{field}"))'

    return [
        chart("Tốc độ nhận", "bps", [Line('mean("rx_bps")', name, source, groups)]),
        chart("Tốc độ gửi", "bps", [Line('mean("tx_bps")', name, source, groups)]),
        chart(
            "Gói lỗi",
            "none",
            [
                Line(increase("rx_errors"), f"{name} nhận", source, groups),
                Line(increase("tx_errors"), f"{name} gửi", source, groups),
            ],
            every="5m",
            note="Số gói lỗi thêm trong mỗi khoảng.",
        ),
        chart(
            "Gói bị bỏ",
            "none",
            [
                Line(increase("rx_dropped"), f"{name} nhận", source, groups),
                Line(increase("tx_dropped"), f"{name} gửi", source, groups),
            ],
            every="5m",
            note="Số gói bị bỏ thêm trong mỗi khoảng.",
        ),
        chart(
            "Dữ liệu đã truyền",
            "bytes",
            [
                Line(increase("rx_bytes"), f"{name} nhận", source, groups),
                Line(increase("tx_bytes"), f"{name} gửi", source, groups),
            ],
            every="5m",
            note="Số byte trong mỗi khoảng, tính từ bộ đếm của card mạng.",
        ),
        chart(
            "Tín hiệu đường dây",
            "none",
            [Line('min("up")', name, source, groups)],
            note="1: có tín hiệu suốt khoảng đó; 0: có lúc mất tín hiệu.",
        ),
    ]


def program() -> list[Panel]:
    """The system's uptime and the agent itself."""
    source = '"agent"'
    return [
        number(
            "Thời gian từ lần khởi động",
            "dtdurations",
            f'SELECT last("uptime_s") FROM "system" WHERE $timeFilter AND {AGENTS} GROUP BY "agent"',
            alias="$tag_agent",
        ),
        number(
            "Lần đo bị bỏ, chưa báo",
            "none",
            f'SELECT last("dropped_runs") FROM "agent" WHERE $timeFilter AND {AGENTS} GROUP BY "agent"',
            alias="$tag_agent",
            note="Khác 0 là hộp thư đi của máy đã đầy; phần bị bỏ được ghi là khoảng trống.",
        ),
        chart(
            "Hộp thư đi: chờ gửi",
            "none",
            [
                Line('max("waiting_runs")', "$tag_agent lần đo", source),
                Line('max("waiting_reports")', "$tag_agent báo cáo", source),
            ],
            every="5m",
            note="Lần đo chưa đóng gói, và báo cáo chưa được máy chủ xác nhận.",
        ),
        chart(
            "Hộp thư đi: dung lượng", "bytes", [Line('max("outbox_bytes")', "$tag_agent", source)], every="5m"
        ),
        chart(
            "Bộ nhớ chương trình dùng",
            "bytes",
            [
                Line('max("rss_bytes")', "$tag_agent tổng", source),
                Line('max("anon_bytes")', "$tag_agent riêng", source),
            ],
            every="5m",
        ),
        chart(
            "Thời gian xử lý của chương trình",
            "s",
            [Line('non_negative_derivative(last("cpu_seconds"), 1h)', "$tag_agent", source)],
            every="10m",
            note="Số giây bộ xử lý mỗi giờ.",
        ),
    ]


def long_term() -> list[Panel]:
    """From the hourly rollups, kept for years."""
    interfaces = ("agent", "interface")
    name = "$tag_agent $tag_interface"
    return [
        chart(
            "Bộ xử lý theo giờ",
            "percent",
            [
                Line(
                    'sum("cpu_percent_sum") / sum("cpu_percent_count")',
                    "$tag_agent trung bình",
                    '"h1"."usage"',
                ),
                Line('max("cpu_percent_max")', "$tag_agent cao nhất", '"h1"."usage"'),
            ],
            every="1h",
        ),
        chart(
            "Tốc độ nhận theo giờ",
            "bps",
            [
                Line(
                    'sum("rx_bps_sum") / sum("rx_bps_count")',
                    f"{name} trung bình",
                    '"h1"."interfaces"',
                    interfaces,
                ),
                Line('max("rx_bps_max")', f"{name} cao nhất", '"h1"."interfaces"', interfaces),
            ],
            every="1h",
        ),
        chart(
            "Tốc độ nhận, 5 phút",
            "bps",
            [Line('sum("rx_bps_sum") / sum("rx_bps_count")', name, '"m5"."interfaces"', interfaces)],
            every="5m",
        ),
        chart(
            "Số lần đo mỗi giờ",
            "none",
            [Line('sum("cpu_percent_count")', "$tag_agent", '"h1"."usage"')],
            every="1h",
            note="60 là đủ: mỗi phút một lần đo.",
        ),
    ]


def build() -> str:
    """The dashboard as JSON text, the same every time."""
    agents = dashboard.QueryVariable("agent").label("Máy").datasource(SOURCE).multi(True).include_all(True)
    agents = agents.query('SHOW TAG VALUES FROM "usage" WITH KEY = "agent"').all_value(".*")
    agents = agents.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    agents = agents.sort(models.VariableSort.ALPHABETICAL_ASC)
    agents = agents.current(models.VariableOption(text="All", value="$__all", selected=True))
    sources = dashboard.DatasourceVariable("datasource").label("Nguồn dữ liệu").type("influxdb")
    board = dashboard.Dashboard("Hạ Tầng: máy tính").uid("hatang-machines").tags(["hatang"]).readonly()
    board = board.description("Mọi máy có cài hatang-agent: mức dùng, mạng, chương trình.").refresh("1m")
    board = board.time("now-6h", "now").timezone("browser").with_variable(sources).with_variable(agents)
    rows = {
        "Tổng quan": overview(),
        "Bộ xử lý, bộ nhớ, ổ đĩa": usage(),
        "Mạng": network(),
        "Hệ thống và chương trình": program(),
        "Dài hạn (số liệu gộp)": long_term(),
    }
    for title, panels in rows.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    shown = board.build()
    for place, shown_panel in enumerate(shown.panels or [], start=1):
        shown_panel.id_val = place
    return json.dumps(shown, cls=JSONEncoder, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the JSON, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when they differ")
    parser.add_argument("--target", type=Path, default=TARGET, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    text = build()
    if not options.check:
        options.target.parent.mkdir(parents=True, exist_ok=True)
        options.target.write_text(text, encoding="utf-8")
        return 0
    committed = options.target.read_text(encoding="utf-8") if options.target.is_file() else ""
    if committed == text:
        return 0
    sys.stderr.write(
        f"{options.target} is not what dashboards/build.py says: run python dashboards/build.py\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
