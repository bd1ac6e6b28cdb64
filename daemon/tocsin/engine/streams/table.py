"""Everything the engine remembers: one row per stream, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.lifecycle.overrides import Overrides

NEVER = -(2**62)
"""A time or tick before all others: it has not happened."""

ALWAYS = 2**62
"""A time or tick after all others: it will not come."""

PROFILE = ("news2_scale", "oxygen", "alert")
"""What a profile may say beside the model's static channels: scale 1 or 2 of NEWS2; 1 on oxygen, 0 on air; 1 alert."""

OVERRIDE_COLUMNS = ("override_limit", "override_off", "override_static", "override_profile", "override_pinned")
"""The columns that follow from a stream's name under the configuration: they go nowhere with the stream."""

STEP_COLUMNS = (
    "state",
    "mean",
    "scale",
    "observed_tick",
    "frame_count",
    "state_first_tick",
    "stream_first_tick",
    "last_tick",
)
"""The columns that a step changes. A stream whose frames are kept has them from before each, as `before_…`."""

_FIRST_CAPACITY = 64
_MODEL_COLUMNS = (
    *("state", "mean", "scale", "frame_count", "state_first_tick", "observed_tick"),
    *("gap_ticks", "gap_end", "reprocessed_tick", "recent_count"),
)
_STAY_COLUMNS = frozenset(
    {
        "live",
        "admitted",
        "standby_until",
        "newest_t",
        "last_reading_at",
        "closed_tick",
        "stay_began_after_tick",
        "static",
        "profile",
        "stream_limit",
        *OVERRIDE_COLUMNS,
    }
)


class Axis(int):
    """A length that says what it counts: two columns of one shape may be of different things."""

    counts: str

    def __new__(cls, counts: str, length: int) -> Self:
        """Make a length of something."""
        axis = super().__new__(cls, length)
        axis.counts = counts
        return axis


@dataclass(frozen=True, slots=True)
class Column:
    """What is known of a column.

    Attributes:
        fill: What it holds in a row that nobody has.
        axis: What its second dimension counts, `slots`, `alarms`, `notes` or `recent`; None where that is the same for
            one model.
    """

    fill: float
    axis: str | None


class StreamTable:
    """N streams' memory, with room to grow; rows that streams have left are used again.

    W is the number of slots for frames, K that of the values of a frame that are kept apart, C the channels, S the
    state, A the alarms, P the entries of a profile. Times are int64 nanoseconds since 1970, ticks int64 counts of the
    model's period since 1970. A row that nobody has holds in every column what a new one holds.

    Attributes:
        names: (N) of the streams, by row; "" where nobody has it. A stream that has just ended is still named.
        labels: (N) what is known of each stream, such as its ward.
        live: (N,) whether somebody has the row.
        admitted: (N,) whether a command began it: only a command ends it then.
        standby_until: (N,) `now` at which it is judged again; NEVER while it is, ALWAYS until somebody says so.
        newest_t: (N,) the newest `t` of an accepted reading.
        last_reading_at: (N,) `now` when the last reading came, whatever its `t`.
        closed_tick: (N,) no frame at or before this tick will be opened any more.
        stay_began_after_tick: (N,) nor is it gone back to this tick: somebody else's readings are from then.
        last_tick: (N,) the last frame that was stepped.
        stream_first_tick: (N,) the stream's first frame; `clock` channels count from it.
        state_first_tick: (N,) the first frame since the state was last reset.
        frame_count: (N,) frames stepped since the state was last reset.
        open_tick: (N, W) of each open frame, NEVER where the slot has none.
        open_t: (N, W) the newest `t` in it.
        opened_at: (N, W) `now` at its first arrival.
        open_values: (N, W, C) float64, in the channels' units.
        open_value_t: (N, W, C) `t` of each value, NEVER where there is none.
        open_implausible: (N, W, C) bool, whether an implausible value came.
        sample_t: (N, W, K) `t` of each reading in it, where a channel's mean is asked for; K is 0 where none is.
        samples: (N, W, K, C) float64, their values; NaN where not carried.
        kept_tick: (N, W) of each closed frame that can be gone back to; NEVER where there is none. This column and
            those that follow are (N, 0) where nobody asked to go back.
        kept_static: (N, W, C) the static values that it was stepped with.
        before_state: (N, W, S) and so on, by `STEP_COLUMNS`: what was remembered before it.
        observed_tick: (N, C) the last frame in which a channel was observed.
        static: (N, C) float64, values given once; NaN where unknown.
        profile: (N, P) float64, by `PROFILE`, what else was given once; NaN where unknown.
        state: (N, S) float32, what the model remembers.
        mean: (N, C) float32, what it expects next; NaN where it has said nothing yet.
        scale: (N, C) float32, likewise.
        score_quantiles: (N, 2) float64, where thresholds are adapted: quantiles of the stream's own score; NaN before the first.
        score_count: (N,) from how many scores they are.
        gap_ticks: (N,) how many ticks the last gap was long; 0 if there was none since the state was reset.
        gap_end: (N,) the first frame after it.
        reprocessed_tick: (N,) the last frame that a late reading changed since then.
        recent_count: (N,) how many frames have been kept in the ring of recent ones, L long, since it was empty. Frame k
            stands at k mod L. The columns that follow are (N, 0) where L is 0.
        recent_tick: (N, L) of each.
        recent_frame: (N, L, 2 C) float32, x and delta as the model was given them, side by side to be written at
            once; x is NaN where missing.
        recent_state: (N, 2, S) float32, before the first frame of each half of the ring.
        recent_mean: (N, 2, C) float32, what was expected of that frame.
        recent_scale: (N, 2, C) float32, likewise.
        delay_state: (N, A) int8, a `delays.Standing`.
        truth: (N, A) int8, a `conditions.Truth`: the last judgement of each alarm's condition.
        truth_since: (N, A) `t` since when the judgement has been that.
        active_since: (N, A) `t` at which the condition began to hold.
        stream_limit: (N, A) float64, the stream's own limit of the alarm's condition; NaN: as configured.
        condition_state: (N, M) float64, what the alarms' conditions note, one after the other; NaN is nothing.
        override_limit: (N, A) float64, the limit by the configuration's overrides, which `limit` goes before; NaN: as for
            all. This column and those that follow are (N, 0) where there are no overrides.
        override_off: (N, A) bool, whether they say that the alarm is not judged.
        override_static: (N, C) float64, what they say that `static` goes before; NaN where nothing.
        override_profile: (N, P) float64, likewise of `profile`.
        override_pinned: (N,) bool, whether they say that thresholds of scores are not adapted.
    """

    def __init__(  # noqa: PLR0913, PLR0915  (a dimension an argument, a column a line)
        self,
        *,
        open_frames: int,
        channels: int,
        state_size: int,
        alarms: int,
        max_streams: int,
        keeps_frames: bool = False,
        samples: int = 0,
        condition_state_size: int = 0,
        recent: int = 0,
        overrides: Overrides | None = None,
    ) -> None:
        """Make an empty table.

        Args:
            open_frames: W.
            channels: C.
            state_size: S.
            alarms: A.
            max_streams: More are refused, so that a flood of made-up topics can't fill the memory.
            keeps_frames: Whether closed frames can be gone back to.
            samples: K, to begin with.
            condition_state_size: M.
            recent: L, even.
            overrides: What the configuration says of some names.
        """
        self.names: list[str] = []
        self.labels: list[Mapping[str, str]] = []
        self.max_streams = max_streams
        self.keeps_frames = keeps_frames
        self.keeps_recent = recent > 0
        self.overrides = overrides
        self.tombstones: dict[str, int] = {}  # streams that are no more → the tick up to which readings were theirs
        self.membership_version = 0  # how often a stream came or went
        self._topic_labels: list[Mapping[str, str]] = []
        self._given_labels: list[Mapping[str, str]] = []
        self._row_of: dict[str, int] = {}
        self._free: list[int] = []  # rows
        self._left: list[int] = []  # rows that become free once nobody speaks of them any more
        self._capacity = _FIRST_CAPACITY
        w, a = Axis("slots", open_frames), Axis("alarms", alarms)
        c, s, kept = channels, state_size, Axis("slots", open_frames if keeps_frames else 0)
        self._described: dict[int, Column] = {}  # by the array's id, until it has its name
        self.live = self._column(0, np.bool_)
        self.admitted = self._column(0, np.bool_)
        self.standby_until = self._column(NEVER, np.int64)
        self.newest_t = self._column(NEVER, np.int64)
        self.last_reading_at = self._column(NEVER, np.int64)
        self.closed_tick = self._column(NEVER, np.int64)
        self.stay_began_after_tick = self._column(NEVER, np.int64)
        self.last_tick = self._column(NEVER, np.int64)
        self.stream_first_tick = self._column(NEVER, np.int64)
        self.state_first_tick = self._column(NEVER, np.int64)
        self.frame_count = self._column(0, np.int64)
        self.open_tick = self._column(NEVER, np.int64, w)
        self.open_t = self._column(NEVER, np.int64, w)
        self.opened_at = self._column(NEVER, np.int64, w)
        self.open_values = self._column(0.0, np.float64, w, c)
        self.open_value_t = self._column(NEVER, np.int64, w, c)
        self.open_implausible = self._column(0, np.bool_, w, c)
        self.sample_t = self._column(NEVER, np.int64, w, samples)
        self.samples = self._column(np.nan, np.float64, w, samples, c)
        self.kept_tick = self._column(NEVER, np.int64, kept)
        self.kept_static = self._column(np.nan, np.float64, kept, c)
        self.before_state = self._column(0.0, np.float32, kept, s)
        self.before_mean = self._column(np.nan, np.float32, kept, c)
        self.before_scale = self._column(np.nan, np.float32, kept, c)
        self.before_observed_tick = self._column(NEVER, np.int64, kept, c)
        self.before_frame_count = self._column(0, np.int64, kept)
        self.before_state_first_tick = self._column(NEVER, np.int64, kept)
        self.before_stream_first_tick = self._column(NEVER, np.int64, kept)
        self.before_last_tick = self._column(NEVER, np.int64, kept)
        self.observed_tick = self._column(NEVER, np.int64, c)
        self.static = self._column(np.nan, np.float64, c)
        self.profile = self._column(np.nan, np.float64, len(PROFILE))
        self.state = self._column(0.0, np.float32, s)
        self.mean = self._column(np.nan, np.float32, c)
        self.scale = self._column(np.nan, np.float32, c)
        halves = 2 if recent else 0
        self.gap_ticks = self._column(0, np.int64)
        self.gap_end = self._column(NEVER, np.int64)
        self.reprocessed_tick = self._column(NEVER, np.int64)
        self.recent_count = self._column(0, np.int64)
        ring = Axis("recent", recent)
        self.recent_tick = self._column(NEVER, np.int64, ring)
        self.recent_frame = self._column(np.nan, np.float32, ring, 2 * c)
        self.recent_state = self._column(0.0, np.float32, Axis("recent", halves), s)
        self.recent_mean = self._column(np.nan, np.float32, Axis("recent", halves), c)
        self.recent_scale = self._column(np.nan, np.float32, Axis("recent", halves), c)
        self.score_quantiles = self._column(np.nan, np.float64, 2)
        self.score_count = self._column(0, np.int64)
        self.delay_state = self._column(0, np.int8, a)
        self.truth = self._column(0, np.int8, a)
        self.truth_since = self._column(NEVER, np.int64, a)
        self.active_since = self._column(NEVER, np.int64, a)
        self.stream_limit = self._column(np.nan, np.float64, a)
        self.condition_state = self._column(np.nan, np.float64, Axis("condition_state", condition_state_size))
        there = overrides is not None
        self.override_limit = self._column(np.nan, np.float64, a if there else 0)
        self.override_off = self._column(0, np.bool_, a if there else 0)
        self.override_static = self._column(np.nan, np.float64, c if there else 0)
        self.override_profile = self._column(np.nan, np.float64, len(PROFILE) if there else 0)
        self.override_pinned = self._column(0, np.bool_)
        self.columns = {name: self._described.pop(id(array)) for name, array in vars(self).items() if _is_column(array)}

    def _column(self, fill: float, dtype: type[np.generic], *shape: int) -> NDArray[Any]:
        array = np.full((self._capacity, *shape), fill, dtype=dtype)
        axis = shape[0].counts if shape and isinstance(shape[0], Axis) else None
        self._described[id(array)] = Column(fill, axis)
        return array

    def __len__(self) -> int:
        """N, the number of rows; `count` is how many of them somebody has."""
        return len(self.names)

    @property
    def count(self) -> int:
        """The number of streams."""
        return len(self._row_of)

    @property
    def portable_columns(self) -> dict[str, Column]:
        """The columns that go with a stream wherever it goes: all but what its name gives it here."""
        return {name: column for name, column in self.columns.items() if name not in OVERRIDE_COLUMNS}

    def limits(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R, A) the limits that hold in streams in place of the alarms' own; NaN where those hold."""
        return _first(self.stream_limit[rows], self.override_limit, rows) if self.overrides else self.stream_limit[rows]

    def statics(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R, C) the static values that hold in streams; NaN where unknown."""
        return _first(self.static[rows], self.override_static, rows) if self.overrides else self.static[rows]

    def profiles(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R, P) what holds of `PROFILE` in streams; NaN where unknown."""
        return _first(self.profile[rows], self.override_profile, rows) if self.overrides else self.profile[rows]

    def is_off(self, row: int, index: int) -> bool:
        """Whether an override turns an alarm off in a stream."""
        return self.overrides is not None and bool(self.override_off[row, index])

    def newest_tick(self, rows: NDArray[np.int64], period_ns: int) -> NDArray[np.int64]:
        """(R,) the tick of each stream's newest reading; NEVER before the first."""
        newest_t = self.newest_t[rows]
        return np.where(newest_t == NEVER, NEVER, newest_t // period_ns)

    def row_of(self, stream: str) -> int | None:
        """Find a stream's row; None if there is no such stream."""
        return self._row_of.get(stream)

    def live_rows(self) -> NDArray[np.int64]:
        """(count,) the rows that somebody has."""
        return np.flatnonzero(self.live[: len(self)])

    def rows(self, streams: Sequence[str], labels: Sequence[Mapping[str, str]] = ()) -> NDArray[np.int64]:
        """Find the streams' rows, making new ones for those not met before.

        Args:
            streams: Their names.
            labels: What their topics say of each now; empty if nothing. What an earlier topic said besides stays: a
                stream fed by two topics would change with every batch.

        Returns:
            (len(streams),) int64; -1 for a stream that found the table full.
        """
        rows = [self._row(name) for name in streams]
        for row, known in zip(rows, labels, strict=False):
            if row < 0 or known is self._topic_labels[row]:
                continue
            before = self._topic_labels[row]
            told = known if before.keys() <= known.keys() else {**before, **known}
            self._topic_labels[row] = told
            if told != before:
                self._show_labels(row)
        return np.array(rows, dtype=np.int64)

    def _row(self, name: str) -> int:
        row = self._row_of.get(name)
        if row is not None:
            return row
        return -1 if self.is_full else self.add(name)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another stream."""
        return len(self._row_of) >= self.max_streams

    def add(self, name: str) -> int:
        """Make a row for a stream that is new, be there room for it or not.

        Readings up to the tick at which a stream of that name ended are none of its.
        """
        row = self._free.pop() if self._free else self._new_row()
        self.names[row] = name
        self._row_of[name] = row
        self.live[row] = True
        self.stay_began_after_tick[row] = self.closed_tick[row] = self.tombstones.pop(name, NEVER)
        self._take_place(row)
        self.membership_version += 1
        return row

    def _take_place(self, row: int) -> None:
        """Let the overrides for a stream's name hold in its row."""
        if self.overrides is not None:
            place = self.overrides.of(self.names[row])
            self.override_limit[row], self.override_off[row] = place.limit, place.off
            self.override_static[row], self.override_profile[row] = place.static, place.profile
            self.override_pinned[row] = place.pinned

    def _new_row(self) -> int:
        row = len(self.names)
        if row == self._capacity:
            for name, column in self.columns.items():
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.full_like(old, column.fill)]))
            self._capacity *= 2
        self.names.append("")
        self.labels.append({})
        self._topic_labels.append({})
        self._given_labels.append({})
        return row

    def remove(self, row: int, last_tick: int) -> None:
        """End a stream whose readings go up to `last_tick`.

        Its row is empty at once, and goes to another stream after the next `reuse`: what was just told of it still
        finds its name there.
        """
        name = self.names[row]
        self._tombstone(name, last_tick)
        self._refill(np.array([row]), self.columns)
        self._left.append(row)
        self.membership_version += 1

    def _tombstone(self, name: str, last_tick: int) -> None:
        del self._row_of[name]
        self.tombstones[name] = last_tick
        if len(self.tombstones) > self.max_streams:  # the first that ended is the first to be forgotten
            del self.tombstones[next(iter(self.tombstones))]

    def reuse(self) -> None:
        """Let the rows of streams that have ended go to others."""
        for row in self._left:
            self.names[row] = ""
            self.labels[row] = self._topic_labels[row] = self._given_labels[row] = {}
        self._free += self._left
        self._left.clear()

    def rename(self, row: int, to: str, last_tick: int) -> None:
        """Give a stream another name, which no other has; its readings under the old one go up to `last_tick`."""
        self._tombstone(self.names[row], last_tick)
        self._row_of[to] = row
        self.names[row] = to
        self._take_place(row)
        self.membership_version += 1

    def label(self, row: int, given: Mapping[str, str]) -> None:
        """Say what is known of a stream beside what its topic says; it wins over that."""
        self._given_labels[row] = dict(given)
        self._show_labels(row)

    def labels_apart(self, row: int) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """What a stream's topic says of it, and what was given beside."""
        return self._topic_labels[row], self._given_labels[row]

    def take_labels(self, row: int, topic: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Take over the labels of a stream that was met elsewhere."""
        self._topic_labels[row], self._given_labels[row] = topic, given
        self._show_labels(row)

    def _show_labels(self, row: int) -> None:
        topic, given = self._topic_labels[row], self._given_labels[row]
        self.labels[row] = {**topic, **given} if given else topic

    def forget_state(self, rows: NDArray[np.int64]) -> None:
        """Reset what the model remembers of these streams; their clocks, alarms and static values stay."""
        self._refill(rows, _MODEL_COLUMNS)

    def begin_anew(self, rows: NDArray[np.int64], barred: NDArray[np.int64]) -> None:
        """Forget all of these streams (R,) but their names, labels, limits and profiles.

        Readings up to the ticks `barred` (R,) are none of theirs any more.
        """
        self._refill(rows, self.columns.keys() - _STAY_COLUMNS)
        self.bar(rows, barred)

    def bar(self, rows: NDArray[np.int64], ticks: NDArray[np.int64]) -> None:
        """Open no frame at or before these ticks (R,) any more, and don't go back to them."""
        self.closed_tick[rows] = np.maximum(self.closed_tick[rows], ticks)
        self.stay_began_after_tick[rows] = np.maximum(self.stay_began_after_tick[rows], ticks)

    def _refill(self, rows: NDArray[np.int64], names: Iterable[str]) -> None:
        for name in names:
            getattr(self, name)[rows] = self.columns[name].fill

    def widen_samples(self) -> None:
        """Make room for twice as many values in a frame."""
        wider = max(self.sample_t.shape[2], 1)
        for name in ("sample_t", "samples"):
            old = getattr(self, name)
            shape = (*old.shape[:2], wider, *old.shape[3:])
            setattr(self, name, np.concatenate([old, np.full(shape, self.columns[name].fill, old.dtype)], axis=2))


def _first(own: NDArray[np.float64], of_the_place: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """What is a stream's own, else what its place gives it."""
    return np.where(np.isnan(own), of_the_place[rows], own)


def _is_column(value: object) -> bool:
    return isinstance(value, np.ndarray)
