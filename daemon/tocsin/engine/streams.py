"""Everything the engine remembers: one row per stream, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

NEVER = -(2**62)
"""A time or tick before all others: it has not happened."""

PROFILE = ("news2_scale", "oxygen", "alert")
"""What a profile may say beside the model's static channels: scale 1 or 2 of NEWS2; 1 on oxygen, 0 on air; 1 alert."""

_FIRST_CAPACITY = 64


class StreamTable:
    """N streams' memory, with room to grow.

    W is the number of frames that may be open at once, C the channels, S the state, A the alarms. Times are int64
    nanoseconds since 1970, ticks int64 counts of the model's period since 1970.

    Attributes:
        names: (N) of the streams, by row.
        labels: (N) what is known of each stream, such as its ward.
        newest_t: (N,) the newest `t` of an accepted reading.
        heard_at: (N,) `now` when the last reading came, whatever its `t`.
        closed_tick: (N,) no frame at or before this tick will be opened any more.
        last_tick: (N,) the last frame that was stepped.
        begun_tick: (N,) the stream's first frame; `clock` channels count from it.
        first_tick: (N,) the first frame since the state was last reset.
        frames: (N,) frames stepped since the state was last reset.
        open_tick: (N, W) of each open frame, NEVER where the slot is free.
        open_t: (N, W) the newest `t` in it.
        opened_at: (N, W) `now` at its first arrival.
        open_values: (N, W, C) float64, in the channels' units.
        open_value_t: (N, W, C) `t` of each value, NEVER where there is none.
        seen_tick: (N, C) the last frame in which a channel was observed.
        static: (N, C) float64, values given once; NaN where unknown.
        profile: (N, P) float64, by `PROFILE`, what else was given once; NaN where unknown.
        state: (N, S) float32, what the model remembers.
        mean: (N, C) float32, what it expects next; NaN where it has said nothing yet.
        scale: (N, C) float32, likewise.
        standing: (N, A) int8, a `delays.Standing`.
        truth: (N, A) int8, a `conditions.Truth`: the last judgement of each alarm's condition.
        truth_since: (N, A) `t` since when the judgement has been that.
        began_t: (N, A) `t` at which the condition began to hold.
        limit: (N, A) float64, the stream's own limit of the alarm's condition; NaN: as configured.
    """

    def __init__(self, *, open_frames: int, channels: int, state_size: int, alarms: int, max_streams: int) -> None:
        """Make an empty table.

        Args:
            open_frames: W.
            channels: C.
            state_size: S.
            alarms: A.
            max_streams: More are refused, so that a flood of made-up topics can't fill the memory.
        """
        self.names: list[str] = []
        self.labels: list[Mapping[str, str]] = []
        self.max_streams = max_streams
        self._row_of: dict[str, int] = {}
        self._capacity = _FIRST_CAPACITY
        w, c, s, a = open_frames, channels, state_size, alarms
        self.newest_t = self._column(NEVER, np.int64)
        self.heard_at = self._column(NEVER, np.int64)
        self.closed_tick = self._column(NEVER, np.int64)
        self.last_tick = self._column(NEVER, np.int64)
        self.begun_tick = self._column(NEVER, np.int64)
        self.first_tick = self._column(NEVER, np.int64)
        self.frames = self._column(0, np.int64)
        self.open_tick = self._column(NEVER, np.int64, w)
        self.open_t = self._column(NEVER, np.int64, w)
        self.opened_at = self._column(NEVER, np.int64, w)
        self.open_values = self._column(0.0, np.float64, w, c)
        self.open_value_t = self._column(NEVER, np.int64, w, c)
        self.seen_tick = self._column(NEVER, np.int64, c)
        self.static = self._column(np.nan, np.float64, c)
        self.profile = self._column(np.nan, np.float64, len(PROFILE))
        self.state = self._column(0.0, np.float32, s)
        self.mean = self._column(np.nan, np.float32, c)
        self.scale = self._column(np.nan, np.float32, c)
        self.standing = self._column(0, np.int8, a)
        self.truth = self._column(0, np.int8, a)
        self.truth_since = self._column(NEVER, np.int64, a)
        self.began_t = self._column(NEVER, np.int64, a)
        self.limit = self._column(np.nan, np.float64, a)
        self._fills = {
            name: array.flat[0] if array.size else 0 for name, array in vars(self).items() if _is_column(array)
        }

    def _column(self, fill: float, dtype: type[np.generic], *shape: int) -> NDArray[Any]:
        return np.full((self._capacity, *shape), fill, dtype=dtype)

    def __len__(self) -> int:
        """N, the number of streams."""
        return len(self.names)

    def row_of(self, stream: str) -> int | None:
        """Find a stream's row; None if there is no such stream."""
        return self._row_of.get(stream)

    def rows(self, streams: Sequence[str], labels: Sequence[Mapping[str, str]] = ()) -> NDArray[np.int64]:
        """Find the streams' rows, making new ones for those not met before.

        Args:
            streams: Their names.
            labels: What is known of each now; empty if nothing is.

        Returns:
            (len(streams),) int64; -1 for a stream that found the table full.
        """
        rows = [self._row(name) for name in streams]
        for row, known in zip(rows, labels, strict=False):
            if row >= 0:
                self.labels[row] = known
        return np.array(rows, dtype=np.int64)

    def take_names(self, streams: Sequence[str]) -> None:
        """Make rows for streams that were met elsewhere, be they more than may join here."""
        for name in streams:
            self._new_row(name)

    def _row(self, name: str) -> int:
        row = self._row_of.get(name)
        if row is not None:
            return row
        return -1 if len(self.names) >= self.max_streams else self._new_row(name)

    def _new_row(self, name: str) -> int:
        row = len(self.names)
        if row == self._capacity:
            self._grow()
        self.names.append(name)
        self.labels.append({})
        self._row_of[name] = row
        return row

    def _grow(self) -> None:
        for name, fill in self._fills.items():
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.full_like(old, fill)]))
        self._capacity *= 2

    def forget_state(self, rows: NDArray[np.int64]) -> None:
        """Reset what the model remembers of these streams; their clocks, alarms and static values stay."""
        self.state[rows] = 0.0
        self.mean[rows] = np.nan
        self.scale[rows] = np.nan
        self.frames[rows] = 0
        self.first_tick[rows] = NEVER
        self.seen_tick[rows] = NEVER


def _is_column(value: object) -> bool:
    return isinstance(value, np.ndarray)
