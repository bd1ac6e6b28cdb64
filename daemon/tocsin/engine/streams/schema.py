"""Declarations of all columns of the stream table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tocsin.engine.streams.columns import Axis, Column, Group, declared, in_group
from tocsin.engine.types import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_FIRST_CAPACITY = 64
_SLOTS, _KEPT, _CHANNELS, _ALARMS = Axis.SLOTS, Axis.KEPT_SLOTS, Axis.CHANNELS, Axis.ALARMS
_STAY, _MODEL, _ANY_MODEL, _OPEN_FRAME = Group.STAY, Group.MODEL, Group.ANY_MODEL, Group.OPEN_FRAME
_CONDITION, _OVERRIDE = Group.CONDITION, Group.OVERRIDE


class StreamColumns:
    """Columns of N rows, with room to grow. A row without a stream holds the fill value in every column.

    Times are int64 nanoseconds since 1970; `now` is the time of a call, `t` that of a reading. Ticks are int64 counts
    of the model's period since 1970. `NEVER` stands for none.
    """

    # fmt: off
    live = Column("live", np.bool_, 0, (), _STAY, doc="the row has a stream")
    admitted = Column("admitted", np.bool_, 0, (), _STAY | _ANY_MODEL,
        doc="a command began the stay; only a command ends it")
    standby_until = Column("standby_until", np.int64, NEVER, (), _STAY | _ANY_MODEL,
        doc="now at which the standby ends; NEVER: not on standby; ALWAYS: until a command")
    newest_t = Column("newest_t", np.int64, NEVER, (), _STAY | _ANY_MODEL, doc="newest t of an accepted reading")
    last_reading_at = Column("last_reading_at", np.int64, NEVER, (), _STAY | _ANY_MODEL,
        doc="now at the last reading, whatever its t")
    closed_tick = Column("closed_tick", np.int64, NEVER, (), _STAY, doc="no frame opens at or before this tick")
    stay_began_after_tick = Column("stay_began_after_tick", np.int64, NEVER, (), _STAY,
        doc="readings up to this tick belong to an earlier stay and are never reprocessed")
    static = Column("static", np.float64, np.nan, (_CHANNELS,), _STAY, doc="values given once; NaN is unknown")
    profile = Column("profile", np.float64, np.nan, (Axis.PROFILE,), _STAY | _ANY_MODEL,
        doc="entries of PROFILE; NaN is unknown")

    open_tick = Column("open_tick", np.int64, NEVER, (_SLOTS,), _OPEN_FRAME, doc="tick of the open frame in a slot")
    open_t = Column("open_t", np.int64, NEVER, (_SLOTS,), _OPEN_FRAME, doc="newest t in it")
    opened_at = Column("opened_at", np.int64, NEVER, (_SLOTS,), _OPEN_FRAME, doc="now at its first reading")
    open_values = Column("open_values", np.float64, 0.0, (_SLOTS, _CHANNELS), _OPEN_FRAME,
        doc="values, in the channels' units")
    open_value_t = Column("open_value_t", np.int64, NEVER, (_SLOTS, _CHANNELS), _OPEN_FRAME,
        doc="t of each value; NEVER: no value")
    open_implausible = Column("open_implausible", np.bool_, 0, (_SLOTS, _CHANNELS), _OPEN_FRAME,
        doc="an implausible value came")
    sample_t = Column("sample_t", np.int64, NEVER, (_SLOTS, Axis.SAMPLES), _OPEN_FRAME,
        doc="t of each reading, where a channel's mean is taken")
    samples = Column("samples", np.float64, np.nan, (_SLOTS, Axis.SAMPLES, _CHANNELS), _OPEN_FRAME,
        doc="values of each reading; NaN: not carried")

    state = Column("state", np.float32, 0.0, (Axis.STATE,), _MODEL, doc="the model's recurrent state")
    mean = Column("mean", np.float32, np.nan, (_CHANNELS,), _MODEL, doc="prediction for the next frame; NaN: none")
    scale = Column("scale", np.float32, np.nan, (_CHANNELS,), _MODEL, doc="scale of the prediction; NaN: none")
    observed_tick = Column("observed_tick", np.int64, NEVER, (_CHANNELS,), _MODEL,
        doc="last frame in which a channel was observed")
    frame_count = Column("frame_count", np.int64, 0, (), _MODEL, doc="frames stepped since the state was reset")
    state_first_tick = Column("state_first_tick", np.int64, NEVER, (), _MODEL,
        doc="first frame since the state was reset")
    stream_first_tick = Column("stream_first_tick", np.int64, NEVER, doc="first frame; clock channels count from it")
    last_tick = Column("last_tick", np.int64, NEVER, doc="last frame that was stepped")
    gap_ticks = Column("gap_ticks", np.int64, 0, (), _MODEL,
        doc="length of the last gap since the state was reset; 0: no gap")
    gap_end = Column("gap_end", np.int64, NEVER, (), _MODEL, doc="first frame after that gap")
    reprocessed_tick = Column("reprocessed_tick", np.int64, NEVER, (), _MODEL,
        doc="last frame that a late reading changed since the state was reset")

    kept_tick = Column("kept_tick", np.int64, NEVER, (_KEPT,), doc="tick of the closed frame that is kept in a slot")
    kept_static = Column("kept_static", np.float64, np.nan, (_KEPT, _CHANNELS), doc="static values it was stepped with")
    before_state = state.before("before_state")
    before_mean = mean.before("before_mean")
    before_scale = scale.before("before_scale")
    before_observed_tick = observed_tick.before("before_observed_tick")
    before_frame_count = frame_count.before("before_frame_count")
    before_state_first_tick = state_first_tick.before("before_state_first_tick")
    before_stream_first_tick = stream_first_tick.before("before_stream_first_tick")
    before_last_tick = last_tick.before("before_last_tick")

    recent_count = Column("recent_count", np.int64, 0, (), _MODEL,
        doc="frames written to the history since it was empty; frame k stands at k mod L")
    recent_tick = Column("recent_tick", np.int64, NEVER, (Axis.RECENT,), doc="tick of each frame of the history")
    recent_frame = Column("recent_frame", np.float32, np.nan, (Axis.RECENT, Axis.INPUTS),
        doc="x and delta as the model got them, side by side so that one write does; x is NaN where missing")
    recent_state = Column("recent_state", np.float32, 0.0, (Axis.RECENT_HALVES, Axis.STATE),
        doc="state before the first frame of each half of the history")
    recent_mean = Column("recent_mean", np.float32, np.nan, (Axis.RECENT_HALVES, _CHANNELS),
        doc="prediction for that frame")
    recent_scale = Column("recent_scale", np.float32, np.nan, (Axis.RECENT_HALVES, _CHANNELS),
        doc="scale of that prediction")

    score_quantiles = Column("score_quantiles", np.float64, np.nan, (Axis.QUANTILES,),
        doc="median and high quantile of the stream's score, where thresholds are adapted; NaN before the first score")
    score_count = Column("score_count", np.int64, 0, doc="number of scores the quantiles rest on")
    delay_state = Column("delay_state", np.int8, 0, (_ALARMS,), _CONDITION, doc="ConditionState, after the delays")
    truth = Column("truth", np.int8, 0, (_ALARMS,), _CONDITION, doc="Truth, the last judgement")
    truth_since = Column("truth_since", np.int64, NEVER, (_ALARMS,), _CONDITION, doc="t since which it stands")
    active_since = Column("active_since", np.int64, NEVER, (_ALARMS,), _CONDITION,
        doc="t at which the condition became active last")
    stream_limit = Column("stream_limit", np.float64, np.nan, (_ALARMS,), _STAY,
        doc="the stream's own limit; NaN: the override's or the configured one")
    condition_state = Column("condition_state", np.float64, np.nan, (Axis.CONDITION_STATE,),
        doc="state of the alarms' conditions, one after the other; NaN is empty")

    override_limit = Column("override_limit", np.float64, np.nan, (Axis.OVERRIDE_ALARMS,), _STAY | _OVERRIDE,
        doc="limit by the overrides, below stream_limit in rank; NaN: none")
    override_off = Column("override_off", np.bool_, 0, (Axis.OVERRIDE_ALARMS,), _STAY | _OVERRIDE,
        doc="an override turns the alarm off")
    override_static = Column("override_static", np.float64, np.nan, (Axis.OVERRIDE_CHANNELS,), _STAY | _OVERRIDE,
        doc="static values by the overrides, below static in rank; NaN: none")
    override_profile = Column("override_profile", np.float64, np.nan, (Axis.OVERRIDE_PROFILE,), _STAY | _OVERRIDE,
        doc="entries of PROFILE by the overrides, below profile in rank; NaN: none")
    override_pinned = Column("override_pinned", np.bool_, 0, (), _STAY | _OVERRIDE,
        doc="thresholds of scores are not adapted")
    # fmt: on

    COLUMNS: ClassVar[tuple[Column[Any], ...]]
    """All columns, in the order of their declaration."""

    PORTABLE: ClassVar[tuple[Column[Any], ...]]
    """Columns that are exported with a stream: all but those of its overrides."""

    def __init__(self, lengths: Mapping[Axis, int]) -> None:
        self.lengths = dict(lengths)
        self.capacity = _FIRST_CAPACITY
        for column in self.COLUMNS:
            column.put(self, column.empty(self.capacity, lengths))

    def grow(self) -> None:
        """Double the number of rows."""
        for column in self.COLUMNS:
            column.put(self, np.concatenate([column.of(self), column.empty(self.capacity, self.lengths)]))
        self.capacity *= 2

    def widen_samples(self) -> None:
        """Double the number of readings that a frame keeps apart."""
        more = max(self.lengths[Axis.SAMPLES], 1)
        for column in self.COLUMNS:
            if Axis.SAMPLES in column.axes:
                room = column.empty(self.capacity, {**self.lengths, Axis.SAMPLES: more})
                column.put(self, np.concatenate([column.of(self), room], axis=1 + column.axes.index(Axis.SAMPLES)))
        self.lengths[Axis.SAMPLES] += more

    def clear(self, rows: NDArray[np.int64], columns: Iterable[Column[Any]]) -> None:
        """Set columns of these rows (R,) to their fill values."""
        for column in columns:
            column.of(self)[rows] = column.fill

    def save_step(self, rows: NDArray[np.int64], slot: NDArray[np.int64]) -> None:
        """Copy everything that a step changes in these rows (R,) to the slots (R,) of their kept frames."""
        for column, before in STEPPED:
            before.of(self)[rows, slot] = column.of(self)[rows]

    def undo_step(self, rows: NDArray[np.int64], slot: NDArray[np.int64]) -> None:
        """Restore what `save_step` copied to these slots (R,)."""
        for column, before in STEPPED:
            column.of(self)[rows] = before.of(self)[rows, slot]


StreamColumns.COLUMNS = declared(StreamColumns)
StreamColumns.PORTABLE = tuple(column for column in StreamColumns.COLUMNS if not Group.OVERRIDE & column.group)
STEPPED = tuple((column.source, column) for column in StreamColumns.COLUMNS if column.source is not None)
"""Columns that a step changes, each with the column that holds its value before each kept frame."""

MODEL_COLUMNS = in_group(StreamColumns.COLUMNS, Group.MODEL)
STAY_COLUMNS = in_group(StreamColumns.COLUMNS, Group.STAY)
