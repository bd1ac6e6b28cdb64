"""Streams that were given up and come back: what was remembered of them waits in the store meanwhile.

A watch by the readings' own clock does without: a recording must give the same events however it is cut into batches.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.engine.lifecycle.transfer import StreamState
from tocsin.runtime.journal_entries import return_input
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.engine import EngineResult
    from tocsin.runtime.core import Core, CoreResult
    from tocsin.runtime.watch_runtime import WatchRuntime
    from tocsin.store import Input
    from tocsin.store.evicted import Evicted

_LOG = logging.getLogger(__name__)


def keep(evicted: Evicted, runtime: WatchRuntime, engine_result: EngineResult) -> None:
    """Keep what was remembered of the streams that a watch has just given up."""
    if runtime.clock_is_event:
        return
    for given_up in engine_result.evicted:
        for remembered in given_up.each():
            evicted.keep(runtime.name, remembered.streams[0], pack(remembered), engine_result.now)


def restore_evicted(
    evicted: Evicted, core: Core, runtime: WatchRuntime, streams: Iterable[str], now: int
) -> Iterator[tuple[Input, CoreResult]]:
    """Let a watch go on with those of some streams that it doesn't know and that are kept.

    Args:
        evicted: What is kept; what is taken up, or is of no use any more, is forgotten.
        core: Whose watch it is.
        runtime: The watch.
        streams: Of which something is to be done now.
        now: Nanoseconds since 1970.

    Yields:
        What was done, for the journal, and what came of it.
    """
    waiting = runtime.engine.unknown_streams([stream for stream in streams if (runtime.name, stream) in evicted])
    for stream in waiting:
        body = evicted.find(runtime.name, stream)
        if body is None or runtime.engine.table.is_full:  # whoever finds no room now may find it later
            continue
        remembered = StreamState(**unpack(body))
        evicted.forget(runtime.name, stream)
        try:
            result = core.restore_evicted(runtime.name, remembered, now)
        except StreamRefused as refused:
            _LOG.info("watch %s: what was remembered is of no use: %s", runtime.name, refused)
            continue
        yield return_input(runtime.name, remembered, now), result
