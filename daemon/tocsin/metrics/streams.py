"""Series of single streams, for dashboards: only of those that an allow-list names, up to a maximum.

Each stream costs Prometheus some twenty series, so there are none by default. Unknown values are absent: a score during
warm-up, a channel that was not measured, a band before there is one, a stream without a recent frame. A 0 would be
drawn, and believed.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tocsin.engine.model import ChannelKind
from tocsin.engine.streams.overrides import named_like
from tocsin.engine.types import ConditionState

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine import Engine
    from tocsin.engine.model import Model
    from tocsin.engine.result import Steps

_LOG = logging.getLogger(__name__)

BAND_SCALES = 2.0
"""The half width of the expected band, in scales."""

_NS_PER_S = 1_000_000_000
_KEPT_PERIODS, _KEPT_S = 5, 15.0  # a frame is shown for the longer of the two


@dataclass(frozen=True, slots=True)
class Family:
    """A metric of single streams.

    Attributes:
        name: The metric's name.
        meaning: The help text.
        labels: The names of the labels.
    """

    name: str
    meaning: str
    labels: tuple[str, ...]


SCORE = Family("tocsin_stream_score", "A stream's score in its last frame; absent while unknown.", ("watch", "stream"))
VALUE = Family(
    "tocsin_stream_value",
    "A channel's value in the stream's last frame, in its unit; absent if it was not measured.",
    ("watch", "stream", "channel"),
)
EXPECTED = Family(
    "tocsin_stream_expected",
    f"The band in which the model expected that value: its mean and {BAND_SCALES:g} scales to either side.",
    ("watch", "stream", "channel", "bound"),
)
ALARM = Family(
    "tocsin_stream_alarm",
    "Whether a stream's alarm is active (1) or not (0); an uncertain one is active.",
    ("watch", "stream", "alarm", "priority"),
)
LEFT_OUT = Family(
    "tocsin_streams_left_out", "Streams in the allow-list that have no series because of its maximum.", ()
)
FAMILIES = (SCORE, VALUE, EXPECTED, ALARM, LEFT_OUT)


@dataclass(frozen=True, slots=True)
class _Shown:
    """One stream's last frame, as columns of its channels (C,)."""

    at_s: float
    score: float
    value: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


@dataclass(slots=True)
class _Watched:
    """The streams of one watch: which of them have series, and their last frames.

    Attributes:
        engine: The watch's engine.
        model: The watch's model.
        names: (N) the streams' names by row; "" where there is none.
        membership_version: The version of the engine's table from which `names` are.
        is_shown: (N,) bool, whether a stream has series.
        last: The last frame by row.
    """

    engine: Engine
    model: Model
    names: list[str] = field(default_factory=list)
    membership_version: int = 0
    is_shown: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    last: dict[int, _Shown] = field(default_factory=dict)


class StreamSeries(Collector):
    """A collector of the allowed streams' series; scrapes see each one's last frame."""

    def __init__(
        self,
        patterns: Sequence[str],
        max_streams: int,
        watches: Mapping[str, tuple[Engine, Model]],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no stream.

        Args:
            patterns: Names of streams; `*` stands for any text, `/` included. Without any there are no series.
            max_streams: The maximum number of streams with series, in all watches; the first ones have them.
            watches: Engine and model of each watch.
            clock_s: A monotonic clock, for the age of frames.
        """
        self._allowed = named_like(patterns) if patterns else None
        self._room = max_streams
        self._left_out = 0
        self._watched = {name: _Watched(engine, model) for name, (engine, model) in watches.items()}
        self._clock_s = clock_s

    def stepped(self, watch: str, steps: Sequence[Steps]) -> None:
        """Keep the frames that an engine has stepped."""
        if self._allowed is None or not steps:
            return
        watched, now_s = self._watched[watch], self._clock_s()
        self._admit(watched, self._allowed)
        for step in steps:
            for i in np.flatnonzero(watched.is_shown[step.rows]).tolist():
                watched.last[int(step.rows[i])] = _Shown(
                    at_s=now_s,
                    score=float(step.score[i]),
                    value=np.where(step.mask[i] == 0, np.float32(np.nan), step.x[i]),
                    mean=step.mean[i].copy(),
                    scale=step.scale[i].copy(),
                )

    def _admit(self, watched: _Watched, allowed: re.Pattern[str]) -> None:
        """Decide on new streams; ended ones make room for others."""
        table = watched.engine.table
        if table.membership_version == watched.membership_version:
            return
        watched.membership_version = table.membership_version
        names = [name if live else "" for name, live in zip(table.names, table.live.tolist(), strict=False)]
        was = watched.names + [""] * (len(names) - len(watched.names))
        shown = np.append(watched.is_shown, np.zeros(len(names) - len(watched.names), dtype=np.bool_))
        changed = [row for row, name in enumerate(names) if name != was[row]]
        for row in changed:
            self._room += int(shown[row])
            shown[row] = False
            watched.last.pop(row, None)
        for row in changed:
            wanted = names[row] != "" and allowed.match(names[row]) is not None
            shown[row] = wanted and self._room > 0
            self._room -= int(shown[row])
            if wanted and not shown[row]:
                if self._left_out == 0:
                    _LOG.warning("no series for stream %s and later ones: metrics.max_streams is reached", names[row])
                self._left_out += 1
        watched.names, watched.is_shown = names, shown

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the series; `prometheus_client` calls this at a scrape."""
        score, value, expected, alarm, left_out = families = [
            GaugeMetricFamily(family.name, family.meaning, labels=family.labels) for family in FAMILIES
        ]
        now_s = self._clock_s()
        for watch, watched in self._watched.items():
            kept_s = max(_KEPT_S, _KEPT_PERIODS * watched.model.period_ns / _NS_PER_S)
            table = watched.engine.table
            for row in np.flatnonzero(watched.is_shown).tolist():
                if not table.live[row] or table.names[row] != watched.names[row]:
                    continue  # it has ended since its last frame
                of = watch, watched.names[row]
                for a, configured in enumerate(watched.engine.alarms):
                    is_up = table.delay_state[row, a] != ConditionState.INACTIVE
                    alarm.add_metric((*of, configured.name, configured.priority), float(is_up))
                shown = watched.last.get(row)
                if shown is not None and now_s - shown.at_s <= kept_s:
                    _add_known(score, of, shown.score)
                    _add_channels(value, expected, of, watched.model, shown)
        left_out.add_metric((), self._left_out)
        yield from families


def _add_channels(
    value: GaugeMetricFamily, expected: GaugeMetricFamily, of: tuple[str, str], model: Model, shown: _Shown
) -> None:
    for c, channel in enumerate(model.channels):
        if channel.kind is ChannelKind.READING:
            reach = BAND_SCALES * shown.scale[c]
            _add_known(value, (*of, channel.name), _plain(shown.value[c]))
            _add_known(expected, (*of, channel.name, "low"), _plain(shown.mean[c] - reach))
            _add_known(expected, (*of, channel.name, "high"), _plain(shown.mean[c] + reach))


def _add_known(family: GaugeMetricFamily, labels: tuple[str, ...], value: float) -> None:
    if not np.isnan(value):
        family.add_metric(labels, value)


def _plain(value: np.float32) -> float:
    return float(str(value))  # 97.2, and not 97.19999694824219, the nearest float64
