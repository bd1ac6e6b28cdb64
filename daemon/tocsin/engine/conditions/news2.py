"""The early warning condition: NEWS2 has reached a number of points; the chart is in `news2_chart`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Condition, truth_of
from tocsin.engine.conditions.news2_chart import MOST, PARAMETERS, SINGLE, News2, news2
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.types import PROFILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import EvaluationContext, ReasonContext

_OXYGEN = PARAMETERS.index("oxygen")
_SPO2 = PARAMETERS.index("spo2")
_SCALE = len(PARAMETERS)  # kept behind the parameters
_OF_PROFILE = {  # what a stream's profile gives where there is no channel
    _OXYGEN: PROFILE.index("oxygen"),
    PARAMETERS.index("alert"): PROFILE.index("alert"),
    _SCALE: PROFILE.index("news2_scale"),
}


@dataclass(frozen=True, slots=True)
class EarlyWarning(Condition):
    """NEWS2 has reached a number of points.

    The last value of each parameter counts for `max_age_ns`. An unknown parameter gives no points, so the score is a
    lower bound. The condition is true if the bound reaches, false if the parameters whose channels have no recent value
    could not change that, and unknown otherwise. A parameter without a channel never makes it unknown.

    State: value and tick of each parameter, then of the SpO2 scale.

    Attributes:
        at_least: Points in total.
        single: Whether 3 points in one parameter are enough too.
        parameter_channels: By parameter, in the order of `PARAMETERS`, the index of its channel; None if there is none.
        constants: By parameter, the value where there is no channel and the stream's profile gives none; None if
            unknown.
        scale: SpO2 scale, 1 or 2, where neither a channel nor the stream's profile gives it.
        scale_channel: Channel that is 2 for patients on scale 2; None if there is none.
        max_age_ns: Age at which a value becomes unknown.
    """

    at_least: int
    single: bool
    parameter_channels: tuple[int | None, ...]
    constants: tuple[float | None, ...]
    scale: int
    scale_channel: int | None
    max_age_ns: int

    kind = "news2"
    state_size = 2 * (len(PARAMETERS) + 1)

    @property
    def parameters(self) -> Mapping[str, object]:
        return {
            "at_least": self.at_least,
            "single": self.single,
            "channels": list(self.parameter_channels),
            "constants": list(self.constants),
            "scale": self.scale,
            "scale_channel": self.scale_channel,
            "max_age_ns": self.max_age_ns,
        }

    @property
    def channels(self) -> tuple[int, ...]:
        named = (*self.parameter_channels, self.scale_channel)
        return tuple(dict.fromkeys(channel for channel in named if channel is not None))

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        steps = context.steps
        for k, channel in enumerate((*self.parameter_channels, self.scale_channel)):
            if channel is not None:
                observed = steps.mask[:, channel] != 0
                state[:, 2 * k] = np.where(observed, steps.x[:, channel], state[:, 2 * k])
                state[:, 2 * k + 1] = np.where(observed, steps.tick, state[:, 2 * k + 1])
            elif k in _OF_PROFILE:
                state[:, 2 * k] = context.table.profiles(steps.rows)[:, _OF_PROFILE[k]]
                state[:, 2 * k + 1] = steps.tick
        score, _, missing = self._score(state, steps.tick, context.model.period_ns)
        most = np.array(MOST)[:, None]
        upper = score.points + np.where(missing, most, 0)  # (7, n)
        # On scale 2 the points of SpO2 depend on the oxygen, and can be as many as any.
        upper[_SPO2] = np.where(missing[_OXYGEN], most[_SPO2], upper[_SPO2])
        reached = self._reaches(score.points)
        return truth_of(reached, reached | ~self._reaches(upper))

    def _reaches(self, points: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether points (7, n) are enough."""
        reached: NDArray[np.bool_] = points.sum(axis=0) >= self.at_least
        return reached | (points.max(axis=0) >= SINGLE) if self.single else reached

    def _score(
        self, state: NDArray[np.float64], tick: NDArray[np.int64], period_ns: int
    ) -> tuple[News2, NDArray[np.float64], NDArray[np.bool_]]:
        """Score n streams by their state (n, 16) at ticks (n,).

        Returns:
            The scores; (7, n) the values behind them, NaN where unknown; (7, n) bool, parameters whose channels have no
            recent value.
        """
        value, at = state[:, 0::2].T, state[:, 1::2].T  # (8, n)
        with np.errstate(invalid="ignore"):
            recent = (tick - at) * period_ns <= self.max_age_ns
        given = np.where(recent, value, np.nan)
        missing = np.zeros((len(PARAMETERS), len(tick)), dtype=np.bool_)
        for k, (channel, constant) in enumerate(zip(self.parameter_channels, self.constants, strict=True)):
            if channel is not None:
                missing[k] = ~recent[k]
            elif constant is not None:
                given[k] = np.where(np.isnan(given[k]), constant, given[k])
        inputs = dict(zip(PARAMETERS, given, strict=False))
        one, two = news2(**inputs, scale=1), news2(**inputs, scale=2)
        on_two = np.where(np.isnan(given[_SCALE]), self.scale, given[_SCALE]) == 2  # noqa: PLR2004  (its name)
        points = np.where(on_two, two.points, one.points)
        return News2(points.sum(axis=0), points.max(axis=0), one.known, points), given[:_SCALE], missing

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        state, tick = context.state[None, :], np.array([context.tick])
        score, given, missing = self._score(state, tick, context.model.period_ns)
        if kind is ConditionEventKind.UNCERTAIN:
            old = ", ".join(name for name, gone in zip(PARAMETERS, missing[:, 0].tolist(), strict=True) if gone)
            return f"NEWS2 is unknown now: no recent {old}" if old else "NEWS2 is unknown now"
        total, points = int(score.total[0]), score.points[:, 0].tolist()
        unknown = [name for name, value in zip(PARAMETERS, given[:, 0].tolist(), strict=True) if np.isnan(value)]
        bound = f"at least {total}" if unknown else f"{total}"
        without = f"; without {', '.join(unknown)}" if unknown else ""
        if kind is ConditionEventKind.INACTIVE:
            return f"NEWS2 {bound}, no longer calls for a response{without}"
        by_points = sorted(zip(points, PARAMETERS, strict=True), key=lambda entry: -entry[0])
        parts = ", ".join(f"{name} {n}" for n, name in by_points if n)
        single = f" ({SINGLE} in one)" if total < self.at_least else ""
        return f"NEWS2 {bound}{single}: {parts}{without}"
