"""Parts of dashboards: panels for a number, lines and tables, variables, queries."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
ALL = models.VariableOption(text="All", value="$__all")
COLOURS = {"high": "red", "medium": "orange", "low": "blue"}
"""Colours of priorities: IEC 60601-1-8 has red, yellow and cyan; these are legible in a bright and a dark theme."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL query.

    Attributes:
        expr: PromQL.
        legend: The series' names, such as `{{reason}}`.
    """

    expr: str
    legend: str = ""


def dashboard(name: str, about: str, since: str) -> builders.Dashboard:
    """A dashboard without panels: its id, its time range, and variables for the data source and the daemon."""
    return (
        builders.Dashboard(f"Tocsin: {name}")
        .uid(f"tocsin-{name.lower()}")
        .description(about)
        .tags(["tocsin"])
        .link(_to_the_others())
        .timezone(common.TimeZoneBrowser)
        .time(f"now-{since}", "now")
        .refresh("5s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(variable("instance", "Daemon", "label_values(tocsin_build_info, instance)", several=True))
    )


def _to_the_others() -> builders.DashboardLink:
    link = builders.DashboardLink("Tocsin").type(models.DashboardLinkType.DASHBOARDS).tags(["tocsin"])
    return link.keep_time(True)  # noqa: FBT003  (the builder's own signature)


def variable(name: str, label: str, query: str, *, several: bool = False) -> builders.QueryVariable:
    """A drop-down of values from Prometheus; with `several`, more than one can be chosen; all are preselected."""
    made = (
        builders.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(several)
        .include_all(several)
    )
    return made.current(ALL) if several else made


def number(title: str, about: str, *queries: Query, unit: str = "none", span: int = 4) -> stat.Panel:
    """A panel with the last value."""
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(4)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(steps(("text", None)))
    )
    for name, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query, name))
    return panel


def lines(title: str, about: str, *queries: Query, unit: str = "short", span: int = 12) -> timeseries.Panel:
    """A panel with lines over time, and gaps where there is no value."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(8)
        .show_points(common.VisibilityMode.AUTO)
        .span_nulls(False)  # noqa: FBT003  (the builder's own signature)
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(True)  # noqa: FBT003  (the builder's own signature)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    for name, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(query, name))
    return panel


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """A panel of stacked areas, for series that add up."""
    stacking = common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
    return panel.stacking(stacking).fill_opacity(30).line_interpolation(common.LineInterpolation.STEP_AFTER)


def bars(panel: timeseries.Panel) -> timeseries.Panel:
    """A panel of stacked bars, for counts in each interval."""
    return stacked(panel).draw_style(common.GraphDrawStyle.BARS).fill_opacity(80)


def rows(title: str, about: str, query: Query, columns: Sequence[str], span: int = 12) -> table.Panel:
    """A table with a row for each series now: some of its labels."""
    shown = models.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": list(columns)}})
    target = _target(query).instant().format(PromQueryFormat.TABLE)
    return (
        table.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .span(span)
        .height(8)
        .with_target(target)
        .with_transformation(shown)
    )


def steps(*from_value: tuple[str, float | None]) -> builders.ThresholdsConfig:
    """Thresholds: colours by their lowest values; the first has none."""
    return (
        builders.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for colour, value in from_value])
    )


def coloured(colour: str) -> models.DynamicConfigValue:
    """The override that sets a series' colour."""
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})


def quantiles(histogram: str, of: Sequence[float], daemon: str) -> list[Query]:
    """A histogram's quantiles over time.

    Args:
        histogram: The metric's name.
        of: The quantiles, 0 to 1.
        daemon: The selector of the daemon's series.
    """
    rate = f"sum by (le) (rate({histogram}_bucket{{{daemon}}}[$__rate_interval]))"
    return [Query(f"histogram_quantile({q:g}, {rate})", "median" if q == 0.5 else f"{q * 100:g} %") for q in of]  # noqa: PLR2004  (the median is a half)


def _target(query: Query, name: str = "A") -> prometheus.Dataquery:
    made = prometheus.Dataquery().datasource(SOURCE).ref_id(name).expr(query.expr)
    return made.legend_format(query.legend) if query.legend else made
