"""`clock: event`: for recordings, `now` is the newest reading's time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.readings import Readings
from tocsin.engine.result import EngineResult

if TYPE_CHECKING:
    from tocsin.engine.engine import Engine

_NO_READINGS = Readings.of([])


class EventClock:
    """Applies readings at the newest `t` so far, so that a recording gives the same events at any speed."""

    def __init__(self, engine: Engine, now: int = 0) -> None:
        """Start at the beginning of time, or where another clock stands."""
        self._engine = engine
        self._now = now

    @property
    def now(self) -> int:
        """The newest `t` so far."""
        return self._now

    def apply(self, batch: Readings) -> EngineResult:
        """Take in readings.

        Each reading is applied at its own `now`, so that the cut into batches, which depends on the speed, doesn't
        matter: a batch goes to the engine in pieces, one for each time that the newest `t` advances.
        """
        self._engine.table.reuse()
        result = EngineResult(self._now)
        if not len(batch):
            return result
        now = np.maximum.accumulate(np.maximum(batch.t, self._now))  # (R,)
        starts = np.flatnonzero(np.diff(now, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
            piece = replace(batch, stream=batch.stream[start:end], t=batch.t[start:end], values=batch.values[start:end])
            # Time passes first: what lingers or is silent until then must not hear of the readings of this moment.
            result.extend(self._engine.go_on(_NO_READINGS, int(now[start])), offset=0)
            result.extend(self._engine.go_on(piece, int(now[start])), offset=int(start))
        self._now = result.now
        return result
