"""The interface of a condition in the configuration, and the checks that several conditions share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tocsin.config.types import Name, Section
from tocsin.engine.model import ChannelKind
from tocsin.engine.streams.profile import limit_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.engine.conditions.base import Condition
    from tocsin.engine.model import Task

    ConditionFault = tuple[tuple[str | int, ...], str]

_NS_PER_S = 1_000_000_000


class ConditionEntry(ABC):
    """Settings of one condition, under its key in an alarm or in a member of a combination.

    An implementation is a `Section` too, in a module of this folder, or in another package that names it in an entry
    point of the group `tocsin.conditions`.
    """

    key: ClassVar[str]
    """Key in the configuration. In another package: the name of the entry point, with a hyphen in it."""

    description: ClassVar[str]
    """One sentence for the JSON schema."""

    combinable: ClassVar[bool] = True
    """Whether the condition may be a member of a combination."""

    has_limit: ClassVar[bool] = False
    """Whether an override may give a stream a limit of its own, or a threshold."""

    @abstractmethod
    def build(self, bundle: Bundle) -> Condition:
        """Build the engine's condition. The entry has been checked with this bundle."""

    @abstractmethod
    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        """Find what the schema cannot: the path below the entry, and the fault with what is legal and the remedy."""

    @property
    def members(self) -> tuple[tuple[str, ConditionEntry], ...]:
        """Keys and settings of the conditions that this one combines."""
        return ()

    def stream_limit_fault(self, limit: float, bundle: Bundle | None) -> str | None:
        """Fault of a stream's own limit where `has_limit`; None if there is none.

        Args:
            limit: The limit, in the channel's unit; of a score, the threshold.
            bundle: None if it could not be loaded.
        """
        del limit, bundle
        return None


class SingleChannelEntry(Section, ConditionEntry):
    """Settings of a condition on one channel."""

    channel: Name

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        yield from channel_faults("channel", self.channel, bundle)

    def channel_index(self, bundle: Bundle) -> int:
        """Index of the channel in the bundle's model."""
        return channel_indices(bundle)[self.channel]


def channel_indices(bundle: Bundle) -> dict[str, int]:
    """Index of each channel of a bundle's model, by name."""
    return {channel.name: index for index, channel in enumerate(bundle.model.channels)}


def channel_faults(key: str, name: str, bundle: Bundle, *others: ChannelKind) -> Iterator[ConditionFault]:
    """Find out whether a bundle measures a channel.

    Args:
        key: Key that names the channel.
        name: Name of the channel.
        bundle: The bundle.
        others: Kinds of channels that are legal too, besides readings.
    """
    legal = [c.name for c in bundle.manifest.channels if c.kind in {ChannelKind.READING, *others}]
    if name not in legal:
        yield (key,), f"{bundle.manifest.name} measures no {name!r} (it measures: {', '.join(legal)})"


def range_faults(key: str, limit: float, channel: str, bundle: Bundle) -> Iterator[ConditionFault]:
    """Find out whether plausible values of a channel can pass a limit."""
    for known in bundle.manifest.channels:
        if known.name == channel and not known.low <= limit <= known.high:
            yield (
                (key,),
                (
                    f"{limit:g} can never be passed: {channel} is plausible from {known.low:g} to {known.high:g} "
                    f"{known.unit}, and other values are rejected"
                ),
            )


def channel_limit_fault(limit: float, channel: str, bundle: Bundle | None) -> str | None:
    """Fault of a stream's own limit on a channel; None if there is none."""
    channels = () if bundle is None else bundle.model.channels
    return next((limit_fault(known, limit) for known in channels if known.name == channel), None)


def task_faults(key: str, tasks: tuple[Task, ...], bundle: Bundle, remedy: str = "") -> Iterator[ConditionFault]:
    """Find out whether a bundle's model is of a task that a condition needs."""
    task = bundle.manifest.task
    if task not in tasks:
        needed = f"{key} needs a model of task {' or '.join(tasks)}"
        yield (), f"{needed}, and {bundle.manifest.name} is of task {task}{remedy}"


def nanoseconds(seconds: float) -> int:
    """Seconds of the configuration as the engine's nanoseconds."""
    return round(seconds * _NS_PER_S)
