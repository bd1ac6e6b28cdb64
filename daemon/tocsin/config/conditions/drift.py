"""The condition `drift`: the model's score creeps up against the stream's own beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from tocsin.config.conditions.entry import ConditionEntry, nanoseconds, task_faults
from tocsin.config.conditions.score import AnomalyEntry, score_statistics
from tocsin.config.types import Seconds, Section
from tocsin.engine.conditions.drift import Drift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionFault

MIN_SETTLING_TICKS = 100
NO_STATISTICS = (
    "statistics of the score on normal streams, and the manifest of {} has none: python -m tocsin_training.recalibrate "
    "writes them, for a score that is positive"
)
_NS_PER_S = 1_000_000_000


class DriftEntry(Section, ConditionEntry):
    """Settings of `drift`."""

    key: ClassVar[str] = "drift"
    description: ClassVar[str] = "The score creeps up against the stream's own beginning, adapted or not."

    slack: float = Field(default=1.0, ge=0, description="So many noises of normal streams above it are no drift.")
    limit: float = Field(default=4.0, gt=0, description="Noises beyond the slack, times the hours that they last.")
    settle_s: Annotated[Seconds, Field(gt=0)] = Field(
        default=2 * 3600.0, description="So long a stream's beginning is, by frames with a score."
    )

    def build(self, bundle: Bundle) -> Drift:
        """Build the engine's condition.

        Raises:
            ValueError: The bundle has no statistics of its score; `check` reports it.
        """
        statistics = score_statistics(bundle)
        if statistics is None:
            raise ValueError(f"{self.key} needs {NO_STATISTICS.format(bundle.manifest.name)}")
        return Drift(statistics.log_std, self.slack, self.limit, nanoseconds(self.settle_s))

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        wrong_task = [*task_faults(self.key, AnomalyEntry.tasks, bundle)]
        if wrong_task:
            yield from wrong_task
        elif score_statistics(bundle) is None:
            yield (), f"{self.key} needs {NO_STATISTICS.format(bundle.manifest.name)}"
        else:
            yield from settling_faults(self.settle_s, bundle)


def settling_faults(settle_s: float, bundle: Bundle) -> Iterator[ConditionFault]:
    """Find out whether `settle_s` is long enough to learn a stream's score, for drift or for adaptation."""
    period_s = bundle.model.period_ns / _NS_PER_S
    if settle_s < MIN_SETTLING_TICKS * period_s:
        yield (
            ("settle_s",),
            (
                f"{settle_s:g} is {settle_s / period_s:.3g} ticks of {bundle.manifest.name}, too few for statistics of "
                f"a stream (legal: from {MIN_SETTLING_TICKS} ticks, {MIN_SETTLING_TICKS * period_s:g} s)"
            ),
        )
