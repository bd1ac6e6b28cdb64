"""Alarms that the engine raises in an evaluation: those of a configuration, or the score's alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.bundle.calibration import BudgetError
from tocsin.config import check
from tocsin.engine import Alarm, FrameClock
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, Priority
from tocsin.engine.model import Task
from tocsin.runtime.build import build_alarms
from tocsin_training.backtest.onsets import Delays
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.bundle import Bundle

NAME = "score"
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class AlarmSetup:
    """The alarms of one watch.

    Attributes:
        alarms: All of them, for the engine.
        scored: The alarm on the score.
        physiological: Names of the physiological alarms; the others are technical (IEC 60601-1-8).
        threshold: Of the score.
        chosen: Where the threshold comes from.
        delays: Of the score's alarm.
        clock: When frames close.
    """

    alarms: tuple[Alarm, ...]
    scored: str
    physiological: tuple[str, ...]
    threshold: float
    chosen: str
    delays: Delays
    clock: FrameClock


def alone(bundle: Bundle, threshold: float, chosen: str, delays: Delays) -> AlarmSetup:
    """Set up the score's alarm and no other.

    Raises:
        TrainingError: The bundle has no score.
    """
    if bundle.model.task is Task.GENERATE:
        raise TrainingError(f"{bundle.model.name} generates streams and judges none; evaluate a bundle of another task")
    on, off = round(delays.on_s * _NS_PER_S), round(delays.off_s * _NS_PER_S)
    alarm = Alarm(NAME, ScoreAbove(threshold), Priority.MEDIUM, Category.PHYSIOLOGICAL, on, off)
    return AlarmSetup((alarm,), NAME, (NAME,), threshold, chosen, delays, FrameClock(0, bundle.model.period_ns))


def by_hand(bundle: Bundle, threshold: float, delays: Delays) -> AlarmSetup:
    """Set up the score's alarm at a given threshold.

    Raises:
        TrainingError: No score can be above it, or all are.
    """
    of_probability = bundle.manifest.calibration.scale == "probability"
    if not 0.0 <= threshold < (1.0 if of_probability else math.inf):
        legal = "a probability below 1" if of_probability else "0 or more"
        raise TrainingError(f"threshold {threshold:g} of {bundle.manifest.name} decides nothing (legal: {legal})")
    return alone(bundle, threshold, "given by hand", delays)


def of_budget(bundle: Bundle, per_day: float, delays: Delays) -> float:
    """Threshold at which the bundle's own curve has this many false alarms a stream-day."""
    try:
        return bundle.threshold_at(per_day, delays.on_s, delays.off_s).threshold
    except BudgetError as error:
        raise TrainingError(str(error)) from error


def configured(bundle: Bundle, path: Path, watch: str | None) -> AlarmSetup:
    """Set up the alarms of a watch in a configuration, with its clock.

    Raises:
        TrainingError: The configuration has faults, or no watch of it fits; says which.
    """
    checked = check(path)
    if checked.faults or checked.config is None:
        listed = "\n".join(f"  {fault}" for fault in checked.faults)
        raise TrainingError(f"{path} has faults:\n{listed}\n  fix them; `tocsin check {path}` lists them too")
    watches = checked.config.watches
    fitting = [name for name in watches if checked.bundles[name].manifest.sha256 == bundle.manifest.sha256]
    if watch is None and len(fitting) == 1:
        watch = fitting[0]
    if watch not in fitting:
        listed = ", ".join(watches)
        raise TrainingError(
            f"{path}: {'several watches run' if fitting and watch is None else f'watch {watch or listed} does not run'}"
            f" {bundle.folder}; name one that does by --watch ({', '.join(fitting) or 'none does'})"
        )
    entry = watches[watch]
    period_ns = checked.bundles[watch].model.period_ns
    if period_ns != bundle.model.period_ns:
        raise TrainingError(f"{path}: watch {watch} has ticks of {period_ns / _NS_PER_S:g} s; say so by --period")
    alarms = tuple(build_alarms(entry, bundle))
    scored = [(alarm, alarm.condition) for alarm in alarms if isinstance(alarm.condition, ScoreAbove)]
    if len(scored) != 1:
        raise TrainingError(
            f"{path}: watch {watch} has {len(scored)} alarms on the score; an evaluation is about exactly one"
        )
    chosen, condition = scored[0]
    frame_timeout_ns = (
        bundle.model.period_ns if entry.frame_timeout_s is None else round(entry.frame_timeout_s * _NS_PER_S)
    )
    return AlarmSetup(
        alarms=alarms,
        scored=chosen.name,
        physiological=tuple(alarm.name for alarm in alarms if alarm.category is Category.PHYSIOLOGICAL),
        threshold=condition.threshold,
        chosen=f"{path.name}, watch {watch}, alarm {chosen.name}",
        delays=Delays(chosen.on_delay_ns / _NS_PER_S, chosen.off_delay_ns / _NS_PER_S),
        clock=FrameClock(round(entry.lateness_s * _NS_PER_S), frame_timeout_ns),
    )
