"""The ward's dashboard: alarms of all streams, and one stream inside its expected bands.

The upper half shows all streams together. The lower half needs the series of single streams, which exist for the
streams that `metrics.streams` in the configuration names.
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
    """The dashboard of a ward."""
    made = begin("Ward", "Active alarms by priority, and one stream inside its expected bands.", since="15m")
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
            "Technical, active",
            "Sensors and streams at fault, not patients.",
            Query(f'sum(tocsin_alarms_active{{{DAEMON}, category="technical"}})'),
        ).thresholds(steps(("text", None), ("purple", 1))),
        number("Streams", "Number of streams in the engine.", Query(f"sum(tocsin_streams{{{DAEMON}}})")),
        number(
            "Warming up",
            "Streams without a score yet.",
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
            "Alarms active now",
            "Uncertain ones included.",
            Query(f"tocsin_stream_alarm{{{DAEMON}}} == 1"),
            ["stream", "alarm", "priority", "watch"],
        )
    )

    made.with_row(Row("$stream"))
    made.with_panel(_band())
    return made


class _Marks(Builder[AnnotationQuery]):
    """Annotations for times with a query result."""

    def __init__(self, name: str, expr: str) -> None:
        self._made = _PrometheusAnnotation(name=name, datasource=SOURCE, icon_color="red", expr=expr)

    def build(self) -> AnnotationQuery:
        return self._made


class _PrometheusAnnotation(AnnotationQuery):
    """An annotation with the texts that Grafana's Prometheus plug-in reads, which the SDK lacks."""

    def to_json(self) -> dict[str, object]:
        texts = {"titleFormat": "{{alarm}}", "textFormat": "{{stream}}", "tagKeys": "priority", "step": "5s"}
        return super().to_json() | texts


def _up(priority: str, colour: str) -> stat.Panel:
    query = Query(f'sum(tocsin_alarms_active{{{DAEMON}, category="physiological", priority="{priority}"}})')
    panel = number(f"{priority.capitalize()}, active", f"Patients' alarms of {priority} priority.", query)
    return panel.thresholds(steps(("text", None), (colour, 1)))


def _alarms_up() -> timeseries.Panel:
    panel = stacked(
        lines(
            "Active alarms",
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
                "Not annunciated",
                "Alarms that are shelved, suppressed by another alarm, or out of service.",
                Query(f"sum by (by) (tocsin_alarms_quiet{{{DAEMON}}})", "{{by}}"),
                span=8,
            )
        ),
        lines(
            "Floods",
            "Groups with so many alarms that they are announced as one.",
            Query(f"sum(tocsin_alarm_floods{{{DAEMON}}})", "floods"),
            span=8,
        ).decimals(0),
    ]


def _band() -> timeseries.Panel:
    """A channel with its band; Grafana repeats the panel for each channel."""
    of_channel = f'{STREAM}, channel="$channel"'
    hidden = [DynamicConfigValue(id_val="custom.lineWidth", value=0), coloured("green")]
    panel = lines(
        "$channel",
        "The measured value, and the expected band: the model's mean and two scales to either side.",
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
