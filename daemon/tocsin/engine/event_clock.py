"""Event clock: for recordings, `now` is the newest reading's time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.readings import Readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.engine.engine import Engine
    from tocsin.engine.result import EngineResult

_NO_READINGS = Readings.of([])


class EventClock:
    """Applies readings at the newest `t` so far, so that a recording gives the same events at any speed.

    Args:
        engine: Engine to apply them to.
        now: Time at the start, ns since 1970.
    """

    def __init__(self, engine: Engine, now: int = 0) -> None:
        self._engine = engine
        self._now = now

    @property
    def now(self) -> int:
        """Newest `t` so far, ns since 1970."""
        return self._now

    def apply(self, batch: Readings) -> EngineResult:
        """Apply readings.

        Each reading is applied at its own `now`, so that the cut into batches, which depends on the speed, makes no
        difference: the engine gets a batch in pieces, one for each time that the newest `t` advances.
        """
        result = self._engine.apply_pieces(self._pieces(batch), self._now)
        self._now = result.now
        return result

    def _pieces(self, batch: Readings) -> Iterator[tuple[Readings, int]]:
        if not len(batch):
            return
        now = np.maximum.accumulate(np.maximum(batch.t, self._now))  # (R,)
        starts = np.flatnonzero(np.diff(now, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
            # Time passes first: a timeout or silence until then comes before the readings of this moment.
            yield _NO_READINGS, int(now[start])
            yield (
                replace(batch, stream=batch.stream[start:end], t=batch.t[start:end], values=batch.values[start:end]),
                int(now[start]),
            )
