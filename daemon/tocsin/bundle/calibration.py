"""Calibration curves: false alarms per stream-day on normal data by threshold, and the threshold for a budget.

The curve counts *onsets*: raises of an alarm with its on-delay and off-delay, as in the engine, so that a score that
chatters around a threshold is one onset. Down to some dozens of onsets the curve is empirical (the body). Beyond,
peaks over a high threshold u follow a generalised Pareto distribution (Pickands, The Annals of Statistics 3, 1975;
Coles, An Introduction to Statistical Modeling of Extreme Values, 2001):

    onsets(θ) = onsets(u) · (1 + ξ (θ − u) / σ)^(−1/ξ)        θ > u
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

BEYOND: Final = 20.0
"""Extrapolation limit: the rarest onsets are one in this many times the data of the curve."""

_Ticks = Annotated[int, Field(ge=0)]
_Rate = Annotated[float, Field(gt=0)]


class BudgetError(ValueError):
    """A curve has no threshold for a budget; the text has the reason and the legal range."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Tail(_Frozen):
    """Generalised Pareto tail: peaks over a high threshold."""

    threshold: float = Field(description="u: threshold at which the tail begins.")
    per_day: _Rate = Field(description="Onsets per stream-day at u.")
    shape: float = Field(description="ξ; below 0 there is a highest score, 0 is exponential.")
    scale: float = Field(gt=0, description="σ, on the score's scale.")
    peaks: int = Field(ge=1, description="Number of peaks of the fit, over a somewhat lower threshold than u.")

    def threshold_at(self, per_day: float) -> float:
        """Threshold for a rate of onsets per stream-day.

        >>> round(Tail(threshold=2, per_day=1, shape=0, scale=0.5, peaks=50).threshold_at(math.exp(-1)), 6)
        2.5
        """
        rarer = self.per_day / per_day
        if abs(self.shape) < 1e-9:  # noqa: PLR2004  (the limit)
            return self.threshold + self.scale * math.log(rarer)
        return self.threshold + self.scale * math.expm1(self.shape * math.log(rarer)) / self.shape


class OnsetRates(_Frozen):
    """Rates of onsets of an alarm with certain delays, by threshold."""

    on_delay_ticks: _Ticks
    off_delay_ticks: _Ticks
    thresholds: tuple[float, ...] = Field(min_length=1, description="Ascending.")
    per_day: tuple[_Rate, ...] = Field(min_length=1, description="Onsets per stream-day at each, descending.")
    tail: Tail | None = Field(default=None, description="Tail beyond them, if there are enough peaks.")

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        if len(self.thresholds) != len(self.per_day):
            msg = f"{len(self.thresholds)} thresholds for {len(self.per_day)} rates"
            raise ValueError(msg)
        if any(a >= b for a, b in itertools.pairwise(self.thresholds)):
            raise ValueError("thresholds do not ascend")
        if any(a <= b for a, b in itertools.pairwise(self.per_day)):
            raise ValueError("per_day does not descend")
        return self

    @property
    def rarest(self) -> float:
        """Lowest rate that was counted, onsets per stream-day."""
        return self.per_day[-1]

    def threshold_at(self, per_day: float) -> float:
        """Threshold for a rate of onsets per stream-day; log-linear between two counted rates."""
        if self.tail is not None and per_day <= self.tail.per_day:
            return self.tail.threshold_at(per_day)
        for i, (often, seldom) in enumerate(itertools.pairwise(self.per_day)):
            if seldom <= per_day <= often:
                share = math.log(often / per_day) / math.log(often / seldom)
                return self.thresholds[i] + share * (self.thresholds[i + 1] - self.thresholds[i])
        return self.thresholds[0] if per_day >= self.per_day[0] else self.thresholds[-1]


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """Threshold for a budget.

    Attributes:
        threshold: Threshold on the score's scale.
        rates: Rates that it was read from.
        extrapolated: Whether the budget is below the lowest rate that was counted.
    """

    threshold: float
    rates: OnsetRates
    extrapolated: bool


class ScoreStatistics(_Frozen):
    """Statistics of a positive score on normal streams, to which a stream's own score is compared."""

    median: float = Field(gt=0, description="Median of all scores.")
    p90: float = Field(gt=0, description="90 % quantile of all scores.")
    log_std: float = Field(
        gt=0, description="Standard deviation of the logarithm of a stream's score about the stream's own median."
    )


class Curve(_Frozen):
    """Onsets per stream-day against thresholds, on held-out normal data, through the daemon's own engine."""

    stream_days: float = Field(gt=0, description="Amount of data.")
    streams: int = Field(ge=1)
    data: str = Field(description="Name of the data.")
    rates: tuple[OnsetRates, ...] = Field(min_length=1, description="By the delays of an alarm.")
    score_statistics: ScoreStatistics | None = Field(
        default=None, description="Statistics of a positive score; none of other scores."
    )

    def threshold_at(self, budget: float, on_delay_ticks: float, off_delay_ticks: float) -> ChosenThreshold:
        """Threshold at which an alarm is raised `budget` times a stream-day on normal data.

        Longer delays never raise an alarm more often. So rates with delays no longer than the alarm's apply, and of
        those the one with the lowest threshold.

        Args:
            budget: Onsets per stream-day.
            on_delay_ticks: On-delay of the alarm.
            off_delay_ticks: Off-delay of the alarm.

        Raises:
            BudgetError: The curve has no threshold for the budget.
        """
        fitting = [
            rates
            for rates in self.rates
            if rates.on_delay_ticks <= on_delay_ticks and rates.off_delay_ticks <= off_delay_ticks
        ]
        if not fitting:
            counted = ", ".join(f"{rates.on_delay_ticks} and {rates.off_delay_ticks}" for rates in self.rates)
            raise BudgetError(
                f"the bundle's curve counts alarms with an on- and an off-delay of {counted} ticks, this one's are "
                f"shorter ({on_delay_ticks:g} and {off_delay_ticks:g}): lengthen them, or set threshold"
            )
        rarest = 1.0 / (BEYOND * self.stream_days)
        if budget < rarest:
            raise BudgetError(
                f"{budget:g} a stream-day is too rare: the bundle's curve rests on {self.stream_days:.4g} "
                f"stream-days, which reach down to {rarest:.2g} a day: raise the budget, or set threshold"
            )
        most = max(rates.per_day[0] for rates in fitting)
        if budget > most:
            raise BudgetError(
                f"{budget:g} a stream-day is more than the {most:.3g} that the bundle's curve reaches with these "
                "delays: lower the budget, or set threshold"
            )
        able = [rates for rates in fitting if rates.per_day[0] >= budget and _reaches(rates, budget)]
        if not able:
            least = min(rates.rarest for rates in fitting)
            raise BudgetError(
                f"{budget:g} a stream-day is rarer than the {least:.3g} that were counted, and there are too few "
                "peaks for a tail: raise the budget, or set threshold"
            )
        rates = min(able, key=lambda rates: rates.threshold_at(budget))
        return ChosenThreshold(rates.threshold_at(budget), rates, extrapolated=budget < rates.rarest)


def _reaches(rates: OnsetRates, budget: float) -> bool:
    return rates.tail is not None or budget >= rates.rarest
