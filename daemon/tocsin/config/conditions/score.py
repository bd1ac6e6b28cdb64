"""The conditions `anomaly` and `probability`: the model's score against a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from tocsin.config.conditions.entry import ConditionEntry, task_faults
from tocsin.config.types import Section
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.bundle.calibration import ScoreStatistics
    from tocsin.config.conditions.entry import ConditionFault


class ScoreEntry(Section, ConditionEntry):
    """Settings of a condition on the model's score."""

    tasks: ClassVar[tuple[Task, ...]]
    has_limit: ClassVar[bool] = True

    threshold: float | None = Field(
        default=None, description="The bundle's own operating point if both this and budget are left out."
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        description="False alarms per stream and day on normal data; the bundle's curve says which threshold that is, "
        "for the alarm's delays.",
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.threshold is not None and self.budget is not None:
            raise ValueError("threshold and budget exclude each other: keep one")
        return self

    def build(self, bundle: Bundle) -> ScoreAbove:
        """Build the engine's condition; `tocsin.config.thresholds` has turned a budget into a threshold."""
        return ScoreAbove(bundle.manifest.calibration.threshold if self.threshold is None else self.threshold)

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        others = [kind.key for kind in (AnomalyEntry, ProbabilityEntry) if bundle.manifest.task in kind.tasks]
        yield from task_faults(self.key, self.tasks, bundle, f": use {' or '.join(others)}")


class AnomalyEntry(ScoreEntry):
    """Settings of `anomaly`: the score of a model that predicts the next frame."""

    key: ClassVar[str] = "anomaly"
    description: ClassVar[str] = "The reading surprises a `forecast` or `seq2seq` model."
    tasks: ClassVar[tuple[Task, ...]] = (Task.FORECAST, Task.SEQ2SEQ)


class ProbabilityEntry(ScoreEntry):
    """Settings of `probability`: the score of a model that predicts an event or a class."""

    key: ClassVar[str] = "probability"
    description: ClassVar[str] = (
        "An `alarm` model's probability of its event, or a `classify` model's of any class but its first."
    )
    tasks: ClassVar[tuple[Task, ...]] = (Task.ALARM, Task.CLASSIFY)

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        yield from super().check(bundle)
        fault = None if self.threshold is None else self.stream_limit_fault(self.threshold, bundle)
        if fault is not None:
            yield ("threshold",), fault

    def stream_limit_fault(self, limit: float, bundle: Bundle | None) -> str | None:
        del bundle
        return None if 0 < limit < 1 else f"{limit:g} is no probability (legal: between 0 and 1)"


def score_statistics(bundle: Bundle) -> ScoreStatistics | None:
    """Statistics of a bundle's score on normal streams; None if its manifest has none."""
    curve = bundle.manifest.calibration.curve
    return None if curve is None else curve.score_statistics
