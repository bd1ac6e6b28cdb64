"""The stream table: one row per stream, its columns, its name and its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.engine.streams.columns import Axis
from tocsin.engine.streams.schema import MODEL_COLUMNS, STAY_COLUMNS, StreamColumns
from tocsin.engine.types import NEVER, PROFILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.streams.overrides import Overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSizes:
    """Lengths of a table's axes.

    Attributes:
        open_frames: W, slots for frames.
        channels: C.
        state_size: S.
        alarms: A.
        keeps_frames: Whether closed frames are kept for reprocessing.
        samples: K at first, readings of a frame that are kept apart for a mean.
        condition_state_size: M.
        recent: L, even; frames of the history.
    """

    open_frames: int
    channels: int
    state_size: int
    alarms: int
    keeps_frames: bool = False
    samples: int = 0
    condition_state_size: int = 0
    recent: int = 0

    def lengths(self, *, overridden: bool) -> dict[Axis, int]:
        """Length of each axis.

        Args:
            overridden: Whether the watch has overrides.
        """
        return {
            Axis.SLOTS: self.open_frames,
            Axis.KEPT_SLOTS: self.open_frames if self.keeps_frames else 0,
            Axis.SAMPLES: self.samples,
            Axis.CHANNELS: self.channels,
            Axis.INPUTS: 2 * self.channels,
            Axis.STATE: self.state_size,
            Axis.ALARMS: self.alarms,
            Axis.CONDITION_STATE: self.condition_state_size,
            Axis.PROFILE: len(PROFILE),
            Axis.QUANTILES: 2,
            Axis.RECENT: self.recent,
            Axis.RECENT_HALVES: 2 if self.recent else 0,
            Axis.OVERRIDE_ALARMS: self.alarms if overridden else 0,
            Axis.OVERRIDE_CHANNELS: self.channels if overridden else 0,
            Axis.OVERRIDE_PROFILE: len(PROFILE) if overridden else 0,
        }


class StreamTable(StreamColumns):
    """Streams by name, and their state in columns. Rows of removed streams are used again.

    Attributes:
        names: (N) names, by row; "" in a free row. A stream that was just removed is still named.
        labels: (N) labels of each stream, such as its ward.
        overrides: Overrides of the configuration; None: there are none.
        max_streams: Limit on the number of streams, so that a flood of made-up topics does not fill the memory.
        tombstones: Removed streams, with the tick up to which readings belong to them.
        membership_version: Number of times that a stream was added, removed or renamed.
    """

    def __init__(
        self,
        sizes: TableSizes,
        max_streams: int,
        overrides: Overrides | None = None,
    ) -> None:
        """Create an empty table.

        Args:
            sizes: Lengths of the axes.
            max_streams: Limit on the number of streams.
            overrides: Overrides of the configuration; None: there are none.
        """
        super().__init__(sizes.lengths(overridden=overrides is not None))
        self.names: list[str] = []
        self.labels: list[Mapping[str, str]] = []
        self.max_streams = max_streams
        self.keeps_frames = sizes.keeps_frames
        self.keeps_recent = sizes.recent > 0
        self.tombstones: dict[str, int] = {}
        self.membership_version = 0
        self.overrides = overrides
        self._topic_labels: list[Mapping[str, str]] = []
        self._given_labels: list[Mapping[str, str]] = []
        self._row_of: dict[str, int] = {}
        self._free: list[int] = []  # rows
        self._removed: list[int] = []  # rows that become free at the next `reuse_rows`

    def __len__(self) -> int:
        """N, the number of rows, free ones included."""
        return len(self.names)

    @property
    def count(self) -> int:
        """Number of streams."""
        return len(self._row_of)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another stream."""
        return len(self._row_of) >= self.max_streams

    def row_of(self, stream: str) -> int | None:
        """Row of a stream; None if there is no stream of this name."""
        return self._row_of.get(stream)

    def live_rows(self) -> NDArray[np.int64]:
        """(count,) rows that have a stream."""
        return np.flatnonzero(self.live[: len(self)])

    def limits(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R, A) limits that hold in streams (R,) in place of the alarms' own; NaN where those hold."""
        limits = self.stream_limit[rows]
        return limits if self.overrides is None else _known_or(limits, self.override_limit[rows])

    def statics(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R, C) static values of streams (R,); NaN where unknown."""
        static = self.static[rows]
        return static if self.overrides is None else _known_or(static, self.override_static[rows])

    def profiles(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R, P) entries of `PROFILE` of streams (R,); NaN where unknown."""
        profile = self.profile[rows]
        return profile if self.overrides is None else _known_or(profile, self.override_profile[rows])

    def is_off(self, row: int, index: int) -> bool:
        """Whether an override turns an alarm off in a stream."""
        return self.overrides is not None and bool(self.override_off[row, index])

    def newest_tick(self, rows: NDArray[np.int64], period_ns: int) -> NDArray[np.int64]:
        """(R,) tick of each stream's newest reading; NEVER before the first."""
        newest_t = self.newest_t[rows]
        return np.where(newest_t == NEVER, NEVER, newest_t // period_ns)

    def rows(self, streams: Sequence[str], labels: Sequence[Mapping[str, str]] = ()) -> NDArray[np.int64]:
        """Find the rows of streams, and add streams that are unknown.

        Args:
            streams: Names.
            labels: Labels from each stream's topic; empty if there are none. Labels from an earlier topic stay: a
                stream fed by two topics would change with every batch.

        Returns:
            (len(streams),) int64; -1 for a stream that found the table full.
        """
        rows = [self._row(name) for name in streams]
        for row, given in zip(rows, labels, strict=False):
            if row < 0 or given is self._topic_labels[row]:
                continue
            before = self._topic_labels[row]
            merged = given if before.keys() <= given.keys() else {**before, **given}
            self._topic_labels[row] = merged
            if merged != before:
                self._merge_labels(row)
        return np.array(rows, dtype=np.int64)

    def _row(self, name: str) -> int:
        row = self._row_of.get(name)
        if row is not None:
            return row
        return -1 if self.is_full else self.add(name)

    def add(self, name: str) -> int:
        """Add a stream whose name is new, even beyond `max_streams`; give its row.

        Readings up to the tick at which an earlier stream of the name was removed do not belong to it.
        """
        row = self._free.pop() if self._free else self._new_row()
        self.names[row] = name
        self._row_of[name] = row
        self.live[row] = True
        self.stay_began_after_tick[row] = self.closed_tick[row] = self.tombstones.pop(name, NEVER)
        self._resolve_overrides(row)
        self.membership_version += 1
        return row

    def _new_row(self) -> int:
        row = len(self.names)
        if row == self.capacity:
            self.grow()
        self.names.append("")
        self.labels.append({})
        self._topic_labels.append({})
        self._given_labels.append({})
        return row

    def _resolve_overrides(self, row: int) -> None:
        if self.overrides is not None:
            resolved = self.overrides.of(self.names[row])
            self.override_limit[row], self.override_off[row] = resolved.limit, resolved.off
            self.override_static[row], self.override_profile[row] = resolved.static, resolved.profile
            self.override_pinned[row] = resolved.pinned

    def remove(self, row: int, last_tick: int) -> None:
        """Remove a stream whose readings go up to `last_tick`.

        Its row is cleared at once and reused after the next `reuse_rows`: until then, events of the stream find its
        name there.
        """
        self._add_tombstone(self.names[row], last_tick)
        self.clear(np.array([row]), self.COLUMNS)
        self._removed.append(row)
        self.membership_version += 1

    def _add_tombstone(self, name: str, last_tick: int) -> None:
        del self._row_of[name]
        self.tombstones[name] = last_tick
        if len(self.tombstones) > self.max_streams:
            del self.tombstones[next(iter(self.tombstones))]  # the oldest

    def reuse_rows(self) -> None:
        """Let new streams have the rows of removed ones."""
        for row in self._removed:
            self.names[row] = ""
            self.labels[row] = self._topic_labels[row] = self._given_labels[row] = {}
        self._free += self._removed
        self._removed.clear()

    def rename(self, row: int, to: str, last_tick: int) -> None:
        """Give a stream a name that is new; its readings under the old one go up to `last_tick`."""
        self._add_tombstone(self.names[row], last_tick)
        self._row_of[to] = row
        self.names[row] = to
        self._resolve_overrides(row)
        self.membership_version += 1

    def set_labels(self, row: int, topic: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Set a stream's labels from its topic and from a command; the latter win."""
        self._topic_labels[row], self._given_labels[row] = topic, given
        self._merge_labels(row)

    def label_sources(self, row: int) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Labels of a stream from its topic, and from a command."""
        return self._topic_labels[row], self._given_labels[row]

    def _merge_labels(self, row: int) -> None:
        topic, given = self._topic_labels[row], self._given_labels[row]
        self.labels[row] = {**topic, **given} if given else topic

    def reset_state(self, rows: NDArray[np.int64]) -> None:
        """Reset the model's state of streams (R,); their clocks, alarms and static values stay."""
        self.clear(rows, MODEL_COLUMNS)

    def begin_stay(self, rows: NDArray[np.int64], after: NDArray[np.int64]) -> None:
        """Begin another stay in streams (R,); names, labels, limits and profiles stay.

        Args:
            rows: (R,) rows.
            after: (R,) ticks up to which readings belong to the stay before.
        """
        self.clear(rows, (column for column in self.COLUMNS if column not in STAY_COLUMNS))
        self.close_up_to(rows, after)

    def close_up_to(self, rows: NDArray[np.int64], ticks: NDArray[np.int64]) -> None:
        """Let streams (R,) neither open nor reprocess frames at or before these ticks (R,)."""
        self.closed_tick[rows] = np.maximum(self.closed_tick[rows], ticks)
        self.stay_began_after_tick[rows] = np.maximum(self.stay_began_after_tick[rows], ticks)

    def membership(self) -> dict[str, Any]:
        """Names, labels and free rows as plain data, under keys that never change, to be given to `set_membership`."""
        return {
            "names": list(self.names),
            "topic_labels": [dict(labels) for labels in self._topic_labels],
            "given_labels": [dict(labels) for labels in self._given_labels],
            "free": list(self._free),
            "removed": list(self._removed),
            "tombstones": dict(self.tombstones),
            "version": self.membership_version,
        }

    def set_membership(self, data: Mapping[str, Any]) -> None:
        """Replace names, labels and free rows by those of `membership`; the columns must hold their rows already."""
        self.names = list(data["names"])
        self._topic_labels, self._given_labels = list(data["topic_labels"]), list(data["given_labels"])
        self.labels = [{} for _ in self.names]
        for row in range(len(self.names)):
            self._merge_labels(row)
        self._free, self._removed = list(data["free"]), list(data["removed"])
        self.tombstones = dict(data["tombstones"])
        self.membership_version = data["version"]
        self._row_of = {self.names[row]: row for row in self.live_rows().tolist()}


def _known_or(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), others, values)
