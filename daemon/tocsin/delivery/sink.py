"""The `Sink` protocol, the deliveries that a sink makes of an event, and the result of an attempt to send one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from pathlib import Path

    from tocsin.alarm import Event, Transition
    from tocsin.engine.events import Category, Priority


class DeliveryStatus(StrEnum):
    """The outcome of an attempt to deliver; the values are labels of a metric."""

    DELIVERED = "delivered"  # the receiver has it, or a newer state has replaced it
    RETRY = "retry"  # the attempt failed, a later one may succeed
    REJECTED = "rejected"  # no attempt will succeed: it becomes a dead letter


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of an attempt.

    Attributes:
        status: The outcome.
        reason: One line for a person; empty if it was delivered.
        retry_after_s: The wait that the receiver asks for; None if it asks for none.
    """

    status: DeliveryStatus
    reason: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One payload for one sink.

    Attributes:
        sink: The sink's name, such as `mqtt`.
        key: Deliveries of one key are sent in order; usually stream and alarm.
        event_id: The event's id; receivers drop duplicates by it.
        body: The payload, as the sink encodes it.
        replaces: Whether it replaces the pending deliveries of its key: a state, of which only the newest counts.
    """

    sink: str
    key: str
    event_id: int
    body: bytes
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events that a sink sends.

    Attributes:
        transitions: The transitions that pass.
        priorities: The priorities that pass.
        categories: Physiological, technical or both.
    """

    transitions: Collection[Transition]
    priorities: Collection[Priority]
    categories: Collection[Category]

    def passes(self, event: Event) -> bool:
        """Whether an event is sent; one that is not announced never is."""
        return (
            event.announced
            and event.transition in self.transitions
            and event.status.priority in self.priorities
            and event.category in self.categories
        )


class Sink(Protocol):
    """A receiver of events. Subclasses inherit defaults for all but the name, `payload_for` and `send`.

    Attributes:
        name: Unique among the configured sinks; pending deliveries and metrics carry it.
        max_in_flight: How many deliveries are sent at the same time.
        keeps_order: Whether the transport keeps the order of what it is given. If not, deliveries of one key are
            sent one after the other.
    """

    name: str
    max_in_flight: int = 4  # a receiver that hangs on one request is not sent a hundred more
    keeps_order: bool = False

    def payload_for(self, event: Event) -> Sequence[Delivery]:
        """Make the deliveries of an event; none if the sink doesn't send it.

        Called once for each event, in order, before the event is committed.
        """
        ...

    def send(self, delivery: Delivery) -> Awaitable[DeliveryResult]:
        """Try to deliver once. An exception counts as `RETRY`."""
        ...

    def restore(self, event: Event) -> None:  # noqa: ARG002  (sinks that keep alarms use it)
        """Learn of an alarm that was raised before a restart, and whose deliveries were made then."""
        return

    async def run(self) -> None:
        """Work in the background until cancelled, or return at once."""
        return

    async def close(self) -> None:
        """Release connections."""
        return


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What a sink is built with besides its own options.

    Attributes:
        name: The sink's name.
        folder: The configuration's folder, from which relative file names count.
        origin: The daemon's client identifier, which distinguishes the events of two daemons.
        version: The version of Tocsin.
        report: Counts an attempt that `run` made, by sink and outcome.
    """

    name: str
    folder: Path
    origin: str
    version: str
    report: Callable[[str, DeliveryStatus], None]


_Options_contra = TypeVar("_Options_contra", contravariant=True)


class SinkFactory(Protocol[_Options_contra]):
    """A kind of sink, such as a class with `build` as a class method."""

    def build(self, options: _Options_contra, context: SinkContext) -> Sink:
        """Make a sink of its entry under `notify`.

        Args:
            options: The validated entry.
            context: What the daemon provides.

        Raises:
            OSError: A file that the options name can't be read.
            ValueError: An option can't be used; says which and why.
        """
        ...
