"""Score thresholds of alarms, and how a budget of false alarms becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle.calibration import BudgetError
from tocsin.config.conditions.score import ScoreEntry

if TYPE_CHECKING:
    from tocsin.bundle import Bundle
    from tocsin.bundle.calibration import ChosenThreshold
    from tocsin.config.schema import AlarmEntry
    from tocsin.engine.conditions.base import Condition


def condition_of(alarm: AlarmEntry, bundle: Bundle) -> Condition:
    """Build the engine's condition of an alarm, with the threshold that its budget amounts to.

    Raises:
        BudgetError: The bundle's curve has no threshold for its budget.
    """
    entry, budget = alarm.condition, budget_of(alarm)
    if isinstance(entry, ScoreEntry) and budget is not None:
        entry = type(entry)(threshold=threshold_for(budget, alarm, bundle).threshold)
    return entry.build(bundle)


def budget_of(alarm: AlarmEntry) -> float | None:
    """Budget of an alarm on a score, in false alarms per stream and day; None if it has none."""
    entry = alarm.condition
    return entry.budget if isinstance(entry, ScoreEntry) else None


def threshold_for(budget: float, alarm: AlarmEntry, bundle: Bundle) -> ChosenThreshold:
    """Choose the score threshold at which an alarm with these delays keeps a budget.

    Raises:
        BudgetError: The bundle's curve has none.
    """
    chosen = bundle.threshold_at(budget, alarm.on_delay_s, alarm.off_delay_s)
    if bundle.manifest.calibration.scale == "probability" and chosen.threshold >= 1:
        raise BudgetError(f"{budget:g} a stream-day is so rare that no probability reaches it: raise the budget")
    return chosen
