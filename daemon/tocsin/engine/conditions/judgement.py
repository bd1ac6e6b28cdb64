"""Judging: which conditions hold, for n streams' frames at a time.

What a condition must remember of a stream from frame to frame it notes in its cells of `StreamTable.notes`, whose
number `conditions.cells` says; NaN is nothing noted. Times are noted as ticks, which a float64 holds exactly. When a
late reading takes a stream back, its newest frame is judged again; what counts frames doesn't count it twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tocsin.engine.conditions import drift, trend
from tocsin.engine.conditions.base import (
    Above,
    Absent,
    AllOf,
    AnyOf,
    Below,
    Drift,
    EarlyWarning,
    Flatline,
    Forecast,
    Implausible,
    ScoreAbove,
    Trend,
    Truth,
    cells,
)
from tocsin.engine.conditions.crossing import falls_below, rises_above
from tocsin.engine.conditions.news2_chart import MOST, PARAMETERS, SINGLE, News2, news2
from tocsin.engine.streams.table import NEVER, PROFILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.adaptation import StreamBaseline
    from tocsin.engine.conditions.base import FrameCondition
    from tocsin.engine.frames.stepper import Steps
    from tocsin.engine.model import Model
    from tocsin.engine.streams.table import StreamTable

_OXYGEN = PARAMETERS.index("oxygen")
_SPO2 = PARAMETERS.index("spo2")
_SCALE = len(PARAMETERS)  # noted behind the parameters
_OF_PROFILE = {  # what a stream's profile can say where no channel does
    _OXYGEN: PROFILE.index("oxygen"),
    PARAMETERS.index("alert"): PROFILE.index("alert"),
    _SCALE: PROFILE.index("news2_scale"),
}


# By whether something is known, and holds. A table, and a number where the enumeration would say it, as this runs for
# every alarm of every frame, and looking up a member costs more than comparing a column.
_TRUTH = np.array([[Truth.UNKNOWN, Truth.UNKNOWN], [Truth.FALSE, Truth.TRUE]], dtype=np.int8)
_TRUE = int(Truth.TRUE)


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What there is to judge by, of n streams.

    Attributes:
        steps: Their frames, and what the model said.
        table: The streams, already stepped.
        model: The model.
        limit: (n,) each stream's own limit for the alarm that is judged, NaN where it is as for all.
        own: What each stream is like, where thresholds of scores are adapted.
    """

    steps: Steps
    table: StreamTable
    model: Model
    limit: NDArray[np.float64]
    own: StreamBaseline | None


def judge(  # noqa: C901  (one case for each kind of condition)
    condition: FrameCondition, context: EvaluationContext, held: NDArray[np.int8], notes: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Judge one condition in n frames.

    Args:
        condition: Which.
        context: The frames.
        held: (n,) the judgement before this frame; between a limit and its deadband it goes on.
        notes: (n, cells) of this condition; change in place.

    Returns:
        (n,) int8, a `Truth` each.
    """
    match condition:
        case AllOf(members):
            return all_of(_members(members, context, notes))
        case AnyOf(members):
            return any_of(_members(members, context, notes))
        case Above() | Below():
            return _limit(condition, context, held)
        case Trend():
            return _trend(condition, context, notes)
        case ScoreAbove():
            return _score(condition, context, notes)
        case Drift():
            return _drift(condition, context, notes)
        case Forecast():
            chance = _chance(condition, context)
            return _known(chance >= condition.probability, ~np.isnan(chance))
        case EarlyWarning():
            return _early_warning(condition, context, notes)
        case Absent(channel, for_ns):
            seen = context.table.observed_tick[context.steps.rows, channel]
            since = np.where(seen == NEVER, context.table.state_first_tick[context.steps.rows], seen)
            gone = (context.steps.tick - since) * context.model.period_ns >= for_ns
            return _known(gone, np.ones(len(gone), dtype=np.bool_))
        case Flatline():
            return _flatline(condition, context, notes)
        case Implausible():
            judged = _implausible if condition.is_of_every_value else _implausible_share
            return judged(condition, context, notes)


def all_of(truths: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """Kleene's conjunction of M judgements (n,): false if one is false, true if all are true, else unknown."""
    stacked = np.stack(truths)  # (M, n)
    known = np.where((stacked == Truth.TRUE).all(axis=0), Truth.TRUE, Truth.UNKNOWN)
    return np.where((stacked == Truth.FALSE).any(axis=0), Truth.FALSE, known).astype(np.int8)


def any_of(truths: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """Kleene's disjunction of M judgements (n,): true if one is true, false if all are false, else unknown."""
    stacked = np.stack(truths)  # (M, n)
    known = np.where((stacked == Truth.FALSE).all(axis=0), Truth.FALSE, Truth.UNKNOWN)
    return np.where((stacked == Truth.TRUE).any(axis=0), Truth.TRUE, known).astype(np.int8)


def _members(
    members: Sequence[FrameCondition], context: EvaluationContext, notes: NDArray[np.float64]
) -> list[NDArray[np.int8]]:
    """Judge each member; a stream's own limit is none of theirs, as it couldn't be said whose."""
    configured = EvaluationContext(
        context.steps, context.table, context.model, np.full(len(notes), np.nan), context.own
    )
    truths, at = [], 0
    for member in members:
        end = at + 1 + cells(member)
        held = np.where(np.isnan(notes[:, at]), Truth.UNKNOWN, notes[:, at]).astype(np.int8)
        truth = judge(member, configured, held, notes[:, at + 1 : end])
        notes[:, at] = truth
        truths.append(truth)
        at = end
    return truths


def _known(holds: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.int8]:
    return _TRUTH[known.view(np.int8), holds.view(np.int8)]


def _limit(condition: Above | Below, context: EvaluationContext, held: NDArray[np.int8]) -> NDArray[np.int8]:
    value = context.steps.x[:, condition.channel]
    limit = np.where(np.isnan(context.limit), condition.limit, context.limit)
    if isinstance(condition, Above):
        beyond, back = value > limit, value < limit - condition.deadband
    else:
        beyond, back = value < limit, value > limit + condition.deadband
    going_on = (held == _TRUE) & ~back
    return _known(beyond | going_on, context.steps.mask[:, condition.channel] != 0)


def _trend(condition: Trend, context: EvaluationContext, notes: NDArray[np.float64]) -> NDArray[np.int8]:
    steps, span = context.steps, condition.within_ns // context.model.period_ns
    there = steps.mask[:, condition.channel] != 0
    trend.note(notes, steps.tick, steps.x[:, condition.channel], there & ~steps.reprocessed, span)
    change = trend.change(notes, steps.tick, span)
    with np.errstate(invalid="ignore"):
        fast = (change if condition.rising else -change) >= condition.by
    return _known(fast, there & ~np.isnan(change))


def _score(condition: ScoreAbove, context: EvaluationContext, notes: NDArray[np.float64]) -> NDArray[np.int8]:
    """Judge the score, and note since which tick it has been above half the threshold."""
    score, threshold = context.steps.score, _threshold(condition, context)
    least, most = (threshold, threshold) if context.own is None else context.own.bounds(threshold)
    known = ~np.isnan(score)
    with np.errstate(invalid="ignore"):
        risen = score >= np.minimum(least, least / 2)
        holds = score >= most
        told = known & (holds | (score < least))
    began = np.where(np.isnan(notes[:, 0]), context.steps.tick, notes[:, 0])
    notes[:, 0] = np.where(known, np.where(risen, began, np.nan), notes[:, 0])
    return _known(holds, told)


def _drift(condition: Drift, context: EvaluationContext, notes: NDArray[np.float64]) -> NDArray[np.int8]:
    score = context.steps.score
    drift.note(condition, notes, score, ~context.steps.reprocessed, context.model.period_ns)
    total = drift.total(notes)
    with np.errstate(invalid="ignore"):
        return _known(total >= condition.limit, ~np.isnan(total) & ~np.isnan(score))


def _threshold(condition: ScoreAbove, context: EvaluationContext) -> NDArray[np.float32] | np.float32:
    """(n,) the thresholds of streams, or one for all.

    In float32, as the scores are: against a float64 a score of 0.7 would lie below a threshold of 0.7.
    """
    if context.table.overrides is None:
        return np.float32(condition.threshold)
    return np.where(np.isnan(context.limit), condition.threshold, context.limit).astype(np.float32)


def _chance(condition: Forecast, context: EvaluationContext) -> NDArray[np.float64]:
    extremes = context.steps.high if condition.rising else context.steps.low
    if extremes is None:  # the model is of another task; the configuration lets none through
        return np.full(len(context.limit), np.nan)
    limit = np.where(np.isnan(context.limit), condition.limit, context.limit)
    return chance(condition, extremes[:, condition.channel], limit, context.model)


def chance(
    condition: Forecast, extremes: NDArray[np.float32], limit: NDArray[np.float64], model: Model
) -> NDArray[np.float64]:
    """(n,) how probable it is that limits (n,) are crossed, by quantiles (n, Q) of the maximum or of the minimum."""
    crosses = rises_above if condition.rising else falls_below
    return crosses(limit, extremes, np.array(model.quantiles))


def _early_warning(condition: EarlyWarning, context: EvaluationContext, notes: NDArray[np.float64]) -> NDArray[np.int8]:
    steps = context.steps
    for k, channel in enumerate((*condition.channels, condition.scale_channel)):
        if channel is not None:
            seen = steps.mask[:, channel] != 0
            notes[:, 2 * k] = np.where(seen, steps.x[:, channel], notes[:, 2 * k])
            notes[:, 2 * k + 1] = np.where(seen, steps.tick, notes[:, 2 * k + 1])
        elif k in _OF_PROFILE:
            notes[:, 2 * k] = context.table.profiles(steps.rows)[:, _OF_PROFILE[k]]
            notes[:, 2 * k + 1] = steps.tick
    score, _, missing = early_warning(condition, notes, steps.tick, context.model.period_ns)
    most = np.array(MOST)[:, None]
    upper = score.points + np.where(missing, most, 0)  # (7, n)
    # On scale 2 the points of SpO2 depend on the oxygen, and can be as many as any.
    upper[_SPO2] = np.where(missing[_OXYGEN], most[_SPO2], upper[_SPO2])
    reached = _reaches(condition, score.points)
    return _known(reached, reached | ~_reaches(condition, upper))


def _reaches(condition: EarlyWarning, points: NDArray[np.int64]) -> NDArray[np.bool_]:
    reached: NDArray[np.bool_] = points.sum(axis=0) >= condition.at_least
    return reached | (points.max(axis=0) >= SINGLE) if condition.single else reached


def early_warning(
    condition: EarlyWarning, notes: NDArray[np.float64], tick: NDArray[np.int64], period_ns: int
) -> tuple[News2, NDArray[np.float64], NDArray[np.bool_]]:
    """Score n streams by what is noted of them.

    Args:
        condition: Whose channels.
        notes: (n, cells).
        tick: (n,) of the frames.
        period_ns: Of a tick.

    Returns:
        The scores; (7, n) the values they rest on, NaN where unknown; (7, n) which parameters' channels have no recent
        value.
    """
    value, noted = notes[:, 0::2].T, notes[:, 1::2].T  # (8, n)
    with np.errstate(invalid="ignore"):
        recent = (tick - noted) * period_ns <= condition.max_age_ns
    given = np.where(recent, value, np.nan)
    missing = np.zeros((len(PARAMETERS), len(tick)), dtype=np.bool_)
    for k, (channel, constant) in enumerate(zip(condition.channels, condition.constants, strict=True)):
        if channel is not None:
            missing[k] = ~recent[k]
        elif constant is not None:
            given[k] = np.where(np.isnan(given[k]), constant, given[k])
    inputs = dict(zip(PARAMETERS, given, strict=False))
    one, two = (_news2(inputs, scale) for scale in (1, 2))
    on_two = np.where(np.isnan(given[_SCALE]), condition.scale, given[_SCALE]) == 2  # noqa: PLR2004  (its name)
    points = np.where(on_two, two.points, one.points)
    return News2(points.sum(axis=0), points.max(axis=0), one.known, points), given[:_SCALE], missing


def _news2(inputs: dict[str, NDArray[np.float64]], scale: Literal[1, 2]) -> News2:
    return news2(**inputs, scale=scale)


def _flatline(condition: Flatline, context: EvaluationContext, notes: NDArray[np.float64]) -> NDArray[np.int8]:
    """Cells: the least and the greatest value of the run, the tick at which it began, how many values it has."""
    value = context.steps.x[:, condition.channel].astype(np.float64)
    tick, there = context.steps.tick, context.steps.mask[:, condition.channel] != 0
    least, greatest = np.fmin(notes[:, 0], value), np.fmax(notes[:, 1], value)
    moved = (greatest - least > condition.band) | np.isnan(notes[:, 2])
    run = np.stack(
        [
            np.where(moved, value, least),
            np.where(moved, value, greatest),
            np.where(moved, tick, notes[:, 2]),
            np.where(moved, 1.0, notes[:, 3] + 1.0),
        ],
        axis=1,
    )
    notes[:] = np.where((there & ~context.steps.reprocessed)[:, None], run, notes)
    with np.errstate(invalid="ignore"):
        long = (tick - notes[:, 2]) * context.model.period_ns >= condition.for_ns
        flat = long & (notes[:, 3] >= condition.LEAST_VALUES)
    return _known(flat, there)


def _implausible(condition: Implausible, context: EvaluationContext, notes: NDArray[np.float64]) -> NDArray[np.int8]:
    """Cell: the tick of the first implausible value since the last plausible one."""
    steps = context.steps
    plausible = steps.mask[:, condition.channel] != 0
    spoilt = steps.implausible[:, condition.channel] & ~plausible
    began = np.where(np.isnan(notes[:, 0]), steps.tick, notes[:, 0])
    notes[:, 0] = np.where(plausible, np.nan, np.where(spoilt, began, notes[:, 0]))
    with np.errstate(invalid="ignore"):
        long = (steps.tick - notes[:, 0]) * context.model.period_ns >= condition.for_ns
    return _known(spoilt & long, plausible | spoilt)


def _implausible_share(
    condition: Implausible, context: EvaluationContext, notes: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Cells: as of a trend, of a value that is 1 in a frame with an implausible value and 0 in one without."""
    steps, span = context.steps, condition.for_ns // context.model.period_ns
    spoilt = steps.implausible[:, condition.channel]
    there = spoilt | (steps.mask[:, condition.channel] != 0)
    trend.note(notes, steps.tick, spoilt.astype(np.float32), there & ~steps.reprocessed, span)
    share = trend.mean(notes, steps.tick, span)
    with np.errstate(invalid="ignore"):
        often = share >= condition.share
    return _known(often, there & ~np.isnan(share))
