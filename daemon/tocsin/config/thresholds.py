"""From what an alarm says of its score to the threshold that it rings at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle.calibration import BudgetError
from tocsin.config.conditions import ScoreEntry
from tocsin.config.schema import AlarmEntry

if TYPE_CHECKING:
    from tocsin.bundle import Bundle
    from tocsin.bundle.calibration import ChosenThreshold, ScoreStatistics
    from tocsin.config.conditions import Member


def threshold(entry: Member, bundle: Bundle) -> float:
    """At what score an alarm of kind `anomaly` or `probability` rings, or a member of a combination holds.

    Raises:
        BudgetError: The bundle's curve has no threshold for its budget.
    """
    score = entry.anomaly or entry.probability
    if score is not None and score.threshold is not None:
        return score.threshold
    chosen = of_budget(entry, bundle) if isinstance(entry, AlarmEntry) else None
    return bundle.manifest.calibration.threshold if chosen is None else chosen.threshold


def with_budget(alarm: AlarmEntry, budget: float) -> AlarmEntry:
    """The same alarm of a score with another budget, whatever it rings at otherwise."""
    return alarm.model_copy(update={alarm.kind: ScoreEntry(budget=budget)})


def score_statistics(bundle: Bundle) -> ScoreStatistics | None:
    """Statistics of a bundle's score on normal streams; None if its manifest has none."""
    curve = bundle.manifest.calibration.curve
    return None if curve is None else curve.score_statistics


def of_budget(alarm: AlarmEntry, bundle: Bundle) -> ChosenThreshold | None:
    """What an alarm's budget comes to; None if it has none.

    Raises:
        BudgetError: The bundle's curve can't say.
    """
    score = alarm.anomaly or alarm.probability
    if score is None or score.budget is None:
        return None
    chosen = bundle.threshold_at(score.budget, alarm.on_delay_s, alarm.off_delay_s)
    if bundle.manifest.calibration.scale == "probability" and chosen.threshold >= 1:
        raise BudgetError(f"{score.budget:g} a stream-day is so rare that no probability reaches it: raise the budget")
    return chosen
