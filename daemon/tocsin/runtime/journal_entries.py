"""The calls that change the core, as entries of the journal and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.alarm.commands import COMMANDS, Command, CommandEnvelope
from tocsin.engine import Readings
from tocsin.engine.lifecycle.commands import STREAM_COMMANDS, StreamRequest
from tocsin.engine.lifecycle.transfer import StreamState
from tocsin.store.columns import pack, unpack
from tocsin.store.journal import Input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.alarm import Event
    from tocsin.runtime.core import Core

READINGS = "readings"
LOSS = "loss"
TIME = "time"
ORDER = "order"
COMMAND = "command"
RETURN = "return"


def readings_input(watches: Sequence[str], readings: Readings, now: int) -> Input:
    """Watches took in readings, in this order."""
    return Input(READINGS, now, pack([list(watches), readings]))


def loss_input(watches: Sequence[str], streams: Sequence[str], now: int) -> Input:
    """Watches heard from a source, in this order, that streams are gone."""
    return Input(LOSS, now, pack([list(watches), list(streams)]))


def time_input(now: int) -> Input:
    """Time passed."""
    return Input(TIME, now, b"")


def order_input(order: CommandEnvelope[Command], now: int) -> Input:
    """Somebody's order was carried out."""
    return Input(ORDER, now, pack([order.verb, msgspec.to_builtins(order)]))


def command_input(command: StreamRequest, now: int) -> Input:
    """Something was done that somebody asked of a stream."""
    return Input(COMMAND, now, pack([command.verb, msgspec.to_builtins(command)]))


def return_input(watch: str, remembered: StreamState, now: int) -> Input:
    """Streams came back to a watch with what had been remembered of them: all of it, since the store forgets it."""
    return Input(RETURN, now, pack([watch, remembered]))


def _command(body: bytes) -> StreamRequest:
    verb, fields = unpack(body)
    return STREAM_COMMANDS[verb](**fields)


def _order(body: bytes) -> CommandEnvelope[Command]:
    verb, data = unpack(body)
    command: Command = msgspec.convert(data.pop("command"), COMMANDS[verb])
    return CommandEnvelope(command, **data)


def apply(core: Core, given: Input) -> list[Event]:
    """Make the call again.

    Raises:
        ValueError: It is of a kind that this Tocsin doesn't know.
    """
    if given.kind == READINGS:
        watches, fields = unpack(given.body)
        readings = Readings(**fields)
        return [event for watch in watches for event in core.take_in(watch, readings, given.now).events]
    if given.kind == LOSS:
        watches, streams = unpack(given.body)
        return [event for watch in watches for event in core.mark_stale(watch, streams, given.now).events]
    if given.kind == TIME:
        return [event for result in core.pass_time(given.now) for event in result.events]
    if given.kind == ORDER:
        return core.order(_order(given.body), given.now)
    if given.kind == COMMAND:
        return [event for result in core.command(_command(given.body), given.now) for event in result.events]
    if given.kind == RETURN:
        watch, remembered = unpack(given.body)
        return core.restore_evicted(watch, StreamState(**remembered), given.now).events
    legal = f"{READINGS}, {LOSS}, {TIME}, {ORDER}, {COMMAND}, {RETURN}"
    raise ValueError(f"an input of kind {given.kind!r} (legal: {legal})")
