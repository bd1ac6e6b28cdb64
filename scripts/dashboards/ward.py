"""The ward: what rings, and one patient inside the expected bands.

The upper half shows every stream together. The lower one needs series of single streams, which the configuration
gives to those that `metrics.streams` names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, DynamicConfigValue

from dashboards.parts import (
    COLOURS,
    SOURCE,
    Query,
    bars,
    coloured,
    lines,
    number,
    rows,
    stacked,
    steps,
    variable,
)
from dashboards.parts import (
    dashboard as begin,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat, timeseries
    from grafana_foundation_sdk.builders.dashboard import Dashboard

DAEMON = 'instance=~"$instance"'
STREAM = f'{DAEMON}, watch="$watch", stream="$stream"'


def dashboard() -> Dashboard:
    """Make it."""
    made = begin("Ward", "What rings, by priority, and one stream inside its expected bands.", since="15m")
    made.with_variable(variable("watch", "Watch", f"label_values(tocsin_stream_alarm{{{DAEMON}}}, watch)"))
    made.with_variable(
        variable("stream", "Stream", f'label_values(tocsin_stream_alarm{{{DAEMON}, watch="$watch"}}, stream)')
    )
    made.with_variable(
        variable("channel", "Channels", f"label_values(tocsin_stream_value{{{STREAM}}}, channel)", several=True)
    )
    made.annotation(_Marks("Alarms of this stream", f"tocsin_stream_alarm{{{STREAM}}} == 1"))

    made.with_row(Row("All streams"))
    for priority, colour in COLOURS.items():
        made.with_panel(_up(priority, colour))
    for panel in (
        number(
            "Technical, up",
            "Sensors and streams at fault, not patients.",
            Query(f'sum(tocsin_alarms_active{{{DAEMON}, category="technical"}})'),
        ).thresholds(steps(("text", None), ("purple", 1))),
        number("Streams", "How many are known.", Query(f"sum(tocsin_streams{{{DAEMON}}})")),
        number(
            "Warming up",
            "Streams whose score is not known yet.",
            Query(f"sum(tocsin_streams_warming_up{{{DAEMON}}})"),
        ),
    ):
        made.with_panel(panel)
    made.with_panel(_alarms_up())
    made.with_panel(
        bars(
            lines(
                "Transitions",
                "Alarms that were raised, cleared, or became uncertain.",
                Query(
                    f"sum by (alarm, transition) (increase(tocsin_events_total{{{DAEMON}}}[$__rate_interval]))",
                    "{{alarm}} {{transition}}",
                ),
            )
        )
    )
    for drawn in _handled():
        made.with_panel(drawn)

    made.with_row(Row("Streams with series of their own (metrics.streams)"))
    made.with_panel(
        lines(
            "Scores",
            "Higher is worse. A gap: the score is unknown.",
            Query(f'tocsin_stream_score{{{DAEMON}, watch="$watch"}}', "{{stream}}"),
        )
    )
    made.with_panel(
        rows(
            "Alarms up now",
            "Also those that have become uncertain.",
            Query(f"tocsin_stream_alarm{{{DAEMON}}} == 1"),
            ["stream", "alarm", "priority", "watch"],
        )
    )

    made.with_row(Row("$stream"))
    made.with_panel(_band())
    return made


class _Marks(Builder[AnnotationQuery]):
    """Marks for the time in which a query has a result."""

    def __init__(self, name: str, expr: str) -> None:
        self._made = _PrometheusAnnotation(name=name, datasource=SOURCE, icon_color="red", expr=expr)

    def build(self) -> AnnotationQuery:
        return self._made


class _PrometheusAnnotation(AnnotationQuery):
    """With the texts that Grafana's Prometheus plug-in reads, and that the SDK doesn't know."""

    def to_json(self) -> dict[str, object]:
        texts = {"titleFormat": "{{alarm}}", "textFormat": "{{stream}}", "tagKeys": "priority", "step": "5s"}
        return super().to_json() | texts


def _up(priority: str, colour: str) -> stat.Panel:
    query = Query(f'sum(tocsin_alarms_active{{{DAEMON}, category="physiological", priority="{priority}"}})')
    panel = number(f"{priority.capitalize()}, up", f"Patients' alarms of {priority} priority.", query)
    return panel.thresholds(steps(("text", None), (colour, 1)))


def _alarms_up() -> timeseries.Panel:
    panel = stacked(
        lines(
            "Alarms up",
            "By priority and category.",
            Query(f"sum by (priority, category) (tocsin_alarms_active{{{DAEMON}}})", "{{priority}} {{category}}"),
        )
    )
    for priority, colour in COLOURS.items():
        panel.override_by_name(f"{priority} physiological", [coloured(colour)])
    return panel


def _handled() -> list[timeseries.Panel]:
    return [
        stacked(
            lines(
                "Alarms by state",
                "Those that are not normal; letters and names as in ISA-18.2.",
                Query(f"sum by (state) (tocsin_alarms{{{DAEMON}}})", "{{state}}"),
                span=8,
            )
        ),
        stacked(
            lines(
                "Kept quiet",
                "Alarms that people are not told of: shelved by somebody, suppressed by another alarm, out of service.",
                Query(f"sum by (by) (tocsin_alarms_quiet{{{DAEMON}}})", "{{by}}"),
                span=8,
            )
        ),
        lines(
            "Floods",
            "Groups whose alarms are told as one, since there are too many of them.",
            Query(f"sum(tocsin_alarm_floods{{{DAEMON}}})", "floods"),
            span=8,
        ).decimals(0),
    ]


def _band() -> timeseries.Panel:
    """One channel inside its band; Grafana repeats it for each channel."""
    of_channel = f'{STREAM}, channel="$channel"'
    hidden = [DynamicConfigValue(id_val="custom.lineWidth", value=0), coloured("green")]
    panel = lines(
        "$channel",
        "What was measured, and the band in which the model expected it: its mean and two scales to either side.",
        Query(f'tocsin_stream_expected{{{of_channel}, bound="low"}}', "low"),
        Query(f'tocsin_stream_expected{{{of_channel}, bound="high"}}', "high"),
        Query(f"tocsin_stream_value{{{of_channel}}}", "measured"),
        span=8,
    )
    panel.override_by_name("low", hidden)
    filled = [
        DynamicConfigValue(id_val="custom.fillBelowTo", value="low"),
        DynamicConfigValue(id_val="custom.fillOpacity", value=20),
    ]
    panel.override_by_name("high", hidden + filled)
    panel.override_by_name("measured", [coloured("text"), DynamicConfigValue(id_val="custom.lineWidth", value=2)])
    return panel.repeat("channel").repeat_direction("h").max_per_row(3)
