"""One self-contained page of one or more evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tocsin_training.evaluation import plots, tables
from tocsin_training.evaluation.tables import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin_training.evaluation.result import EvaluationResult, Excerpt

KINDS = {"detected": "Detected", "missed": "Missed", "false": "False alarms"}


@dataclass(frozen=True, slots=True)
class ReportSection:
    """One evaluation on the page."""

    number: int
    result: EvaluationResult
    tables: list[tables.Table]
    curve: Markup
    delays: Markup
    reliability: Markup
    stretches: dict[str, list[tuple[Excerpt, Markup]]]


def made(results: Sequence[EvaluationResult], title: str | None = None) -> str:
    """HTML page with its style and figures inline."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["span"] = span
    template = environment.from_string(
        files("tocsin_training.evaluation").joinpath("page.html.jinja").read_text(encoding="utf-8")
    )
    names = list(dict.fromkeys(result.setting.bundle for result in results))
    return template.render(
        title=title or f"How good {' and '.join(names)} {'is' if len(names) == 1 else 'are'}",
        sections=[_section(number, result) for number, result in enumerate(results, 1)],
    )


def _section(number: int, result: EvaluationResult) -> ReportSection:
    with_events = result.extent.events > 0
    drawn: dict[str, list[tuple[Excerpt, Markup]]] = {}
    for at, stretch in enumerate(result.stretches):
        svg = plots.stretch(stretch, result.setting.threshold, f"stretch-{number}-{at}")
        drawn.setdefault(KINDS[stretch.kind], []).append((stretch, Markup(svg)))  # noqa: S704  (our own SVG)
    return ReportSection(
        number=number,
        result=result,
        tables=list(tables.tables(result)),
        curve=Markup(plots.false_alarms_against_detection(result, f"curve-{number}") if with_events else ""),  # noqa: S704
        delays=Markup(plots.delays(result, f"delays-{number}") if with_events else ""),  # noqa: S704
        reliability=Markup(plots.reliability(result, f"reliability-{number}") if result.reliability else ""),  # noqa: S704
        stretches=drawn,
    )
