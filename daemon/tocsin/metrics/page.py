"""docs/metrics.md, made from the metrics themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tocsin.engine.events import Category, Priority
from tocsin.engine.model import Model, Task
from tocsin.metrics import streams
from tocsin.metrics.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from tocsin.engine.model import StepFunction

_OF_SAMPLES = ("le", "quantile")  # Prometheus' own labels


def page() -> str:
    """The page as Markdown."""
    rows = [_row(*described) for described in _described()]
    of_streams = [_row(family.name, "gauge", family.labels, family.meaning) for family in streams.FAMILIES]
    return f"""\
# Metrics

The daemon serves these under `/metrics`. `python -m tocsin.metrics > docs/metrics.md` makes this page from the code.
Counters are there from the start, at 0. Durations are in seconds. None of these has a label for streams:

{_table(rows)}

## Single streams

Only for the streams that `metrics.streams` in the configuration names, and for no more than `metrics.max_streams`, the
first ones:

```yaml
metrics:
  streams: ["icu/*"]    # * stands for any text; "*" alone for every stream
  max_streams: 50       # at most 100
```

A stream costs one series for its score, three for each channel and one for each alarm. Unknown values are absent, never
0: a score during warm-up, a channel that was not measured, and both once no frame has come for five periods of the
model and 15 s.

{_table(of_streams)}
"""


def _table(rows: list[str]) -> str:
    return "\n".join(["| name | type | labels | meaning |", "|---|---|---|---|", *rows])


def _row(name: str, kind: str, labels: tuple[str, ...], meaning: str) -> str:
    return f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels) or '–'} | {meaning} |"


def _described() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name, type, labels and meaning of each metric; a model, an alarm and a sink make all series exist."""
    no_step = cast("StepFunction", None)  # never called
    model = Model("model", "1", "0", Task.FORECAST, (), 1, 1, 0, 1, 1.0, 1.0, no_step)
    metrics = Metrics("0", [model], [("alarm", Priority.HIGH, Category.PHYSIOLOGICAL)])
    metrics.shadow.add_model("model/1", ["alarm"])
    metrics.store.sinks(["sink"])
    for family in metrics.families():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield name, family.type, _labels(family), family.documentation


def _labels(family: Metric) -> tuple[str, ...]:
    return tuple(label for label in family.samples[0].labels if label not in _OF_SAMPLES)
