"""Evicted streams: their states wait in the store, and come back with the next reading or command.

A watch by the event clock keeps none: a recording must give the same events however it is cut into batches.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tocsin.engine.format import Format
from tocsin.runtime.journal_entries import RestoreEntry, state_from_plain, state_to_plain
from tocsin.store.columns import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.engine.streams.state import StreamState
    from tocsin.runtime.watch_runtime import WatchResult, WatchRuntime
    from tocsin.store.evicted import Evicted

_LOG = logging.getLogger(__name__)

EVICTED_FORMAT = Format("the state of an evicted stream", 1)


def encode_state(state: StreamState) -> bytes:
    """Encode the state of an evicted stream for the store."""
    return pack({"format": EVICTED_FORMAT.number, **state_to_plain(state)})


def decode_state(body: bytes) -> StreamState:
    """Decode what `encode_state` gave.

    Raises:
        ValueError: It is of another format.
    """
    return state_from_plain(EVICTED_FORMAT.upgrade(unpack(body)))


def store_evicted(evicted: Evicted, result: WatchResult) -> None:
    """Store the states of streams that a watch has just evicted."""
    if result.runtime.clock_is_event:
        return
    for states in result.engine_result.evicted:
        for state in states.each():
            evicted.add(result.runtime.name, state.streams[0], encode_state(state), result.engine_result.now)


def restore_entries(
    evicted: Evicted, runtime: WatchRuntime, streams: Iterable[str], now: int
) -> Iterator[RestoreEntry]:
    """Take the states of streams that a watch doesn't know out of the store.

    Args:
        evicted: The store of evicted streams.
        runtime: The watch.
        streams: Streams that are about to be used.
        now: Nanoseconds since 1970.

    Yields:
        An entry for each stream whose state can be read, to be applied before the next is asked for: there may be no
        room for it then.
    """
    for stream in runtime.engine.unknown_streams([stream for stream in streams if (runtime.name, stream) in evicted]):
        body = evicted.find(runtime.name, stream)
        if body is None or runtime.engine.table.is_full:  # there may be room later
            continue
        evicted.forget(runtime.name, stream)
        try:
            state = decode_state(body)
        except (ValueError, KeyError) as error:
            _LOG.warning("watch %s: evicted stream %s begins anew: %s", runtime.name, stream, error)
            continue
        yield RestoreEntry(now, runtime.name, state)
