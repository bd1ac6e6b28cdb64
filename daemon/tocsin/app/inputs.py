"""The calls that change the core, as entries of the journal and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.alarm import plain
from tocsin.alarm.commands import COMMANDS, Order
from tocsin.engine import Readings
from tocsin.store.columns import pack, unpack
from tocsin.store.journal import Input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.alarm import Event
    from tocsin.app.core import Core

READINGS = "readings"
TIME = "time"
ORDER = "order"


def readings_input(watches: Sequence[str], readings: Readings, now: int) -> Input:
    """Watches took in readings, in this order."""
    return Input(READINGS, now, pack([list(watches), readings]))


def time_input(now: int) -> Input:
    """Time passed."""
    return Input(TIME, now, b"")


def order_input(order: Order, now: int) -> Input:
    """Somebody's order was carried out."""
    return Input(ORDER, now, pack([order.command.verb, plain.to_plain(order)]))


def _order(body: bytes) -> Order:
    verb, data = unpack(body)
    command = plain.from_plain(COMMANDS[verb], data.pop("command"))
    return Order(command, **data)


def apply(core: Core, given: Input) -> list[Event]:
    """Make the call again.

    Raises:
        ValueError: It is of a kind that this Tocsin doesn't know.
    """
    if given.kind == READINGS:
        watches, fields = unpack(given.body)
        readings = Readings(**fields)
        return [event for watch in watches for event in core.take_in(watch, readings, given.now).events]
    if given.kind == TIME:
        return [event for result in core.pass_time(given.now) for event in result.events]
    if given.kind == ORDER:
        return core.order(_order(given.body), given.now)
    raise ValueError(f"an input of kind {given.kind!r} (legal: {READINGS}, {TIME}, {ORDER})")
