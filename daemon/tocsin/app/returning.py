"""Streams that were given up and come back: what was remembered of them waits in the store meanwhile.

A watch by the readings' own clock does without: a recording must give the same events however it is cut into batches.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tocsin.app.inputs import return_input
from tocsin.engine.commands import StreamRefused
from tocsin.engine.memory import StreamMemory
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.app.build import Station
    from tocsin.app.core import Core, Result
    from tocsin.engine import Outcome
    from tocsin.store import Input
    from tocsin.store.evicted import Evicted

_LOG = logging.getLogger(__name__)


def keep(evicted: Evicted, station: Station, outcome: Outcome) -> None:
    """Keep what was remembered of the streams that a watch has just given up."""
    if station.clock_is_event:
        return
    for given_up in outcome.evicted:
        for remembered in given_up.each():
            evicted.keep(station.name, remembered.streams[0], pack(remembered), outcome.now)


def bring_back(
    evicted: Evicted, core: Core, station: Station, streams: Iterable[str], now: int
) -> Iterator[tuple[Input, Result]]:
    """Let a watch go on with those of some streams that it doesn't know and that are kept.

    Args:
        evicted: What is kept; what is taken up, or is of no use any more, is forgotten.
        core: Whose watch it is.
        station: The watch.
        streams: Of which something is to be done now.
        now: Nanoseconds since 1970.

    Yields:
        What was done, for the journal, and what came of it.
    """
    waiting = station.engine.strangers([stream for stream in streams if (station.name, stream) in evicted])
    for stream in waiting:
        body = evicted.find(station.name, stream)
        if body is None or station.engine.table.is_full:  # whoever finds no room now may find it later
            continue
        remembered = StreamMemory(**unpack(body))
        evicted.forget(station.name, stream)
        try:
            result = core.bring_back(station.name, remembered, now)
        except StreamRefused as refused:
            _LOG.info("watch %s: what was remembered is of no use: %s", station.name, refused)
            continue
        yield return_input(station.name, remembered, now), result
