"""Columns of the stream table: how one is declared, what its axes count, and what happens to it and when."""

from __future__ import annotations

from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, cast, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


class Axis(Enum):
    """Dimension of a column after the first, which counts rows."""

    SLOTS = auto()  # W, open frames
    KEPT_SLOTS = auto()  # W where closed frames are kept for reprocessing, else 0
    SAMPLES = auto()  # K, readings of a frame that are kept apart for a mean; grows on demand
    CHANNELS = auto()  # C
    INPUTS = auto()  # 2 C, x and delta of a frame
    STATE = auto()  # S
    ALARMS = auto()  # A
    CONDITION_STATE = auto()  # M, the state of all alarms' conditions
    PROFILE = auto()  # P, entries of `PROFILE`
    QUANTILES = auto()  # 2, of the score
    RECENT = auto()  # L, frames of the history
    RECENT_HALVES = auto()  # 2, or 0 without a history
    OVERRIDE_ALARMS = auto()  # A where the watch has overrides, else 0
    OVERRIDE_CHANNELS = auto()  # C where the watch has overrides, else 0
    OVERRIDE_PROFILE = auto()  # P where the watch has overrides, else 0

    @property
    def depends_on_configuration(self) -> bool:
        """Whether the length may differ between two watches with the same model."""
        return self in _CONFIGURED


_CONFIGURED = frozenset(
    {
        Axis.SLOTS,
        Axis.KEPT_SLOTS,
        Axis.SAMPLES,
        Axis.ALARMS,
        Axis.CONDITION_STATE,
        Axis.RECENT,
        Axis.RECENT_HALVES,
    }
)


class Group(Flag):
    """Operations on the table that a column takes part in."""

    NONE = 0
    STAY = auto()  # keeps its value when another stay begins in the row
    MODEL = auto()  # is cleared when the model's state is reset
    ANY_MODEL = auto()  # is valid under any model: copied as it is when another model takes over
    OPEN_FRAME = auto()  # belongs to an open frame and moves with it
    CONDITION = auto()  # is cleared for an alarm that an override turns off
    OVERRIDE = auto()  # follows from the stream's name under the configuration: never exported


class Holder(Protocol):
    """Object with an instance dictionary, such as a table."""

    __dict__: dict[str, Any]


class Column(Generic[T]):
    """Declaration of one column; as an attribute of a table it is the column's array, (N, …).

    Attributes:
        name: Name of the attribute.
        key: Key in checkpoints and exports. It never changes, whatever the attribute is called.
        dtype: Element type.
        fill: Value in a row without a stream.
        axes: Dimensions after the first.
        group: Operations that the column takes part in.
        source: Column whose value before a kept frame this one holds; None: it is no such copy.
        doc: One line on the contents.
    """

    def __init__(
        self,
        key: str,
        dtype: type[T],
        fill: float,
        axes: tuple[Axis, ...] = (),
        group: Group = Group.NONE,
        *,
        source: Column[Any] | None = None,
        doc: str,
    ) -> None:
        self.name = key
        self.key = key
        self.dtype = dtype
        self.fill = fill
        self.axes = axes
        self.group = group
        self.source = source
        self.doc = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> NDArray[T]: ...

    def __get__(self, instance: object | None, owner: type) -> Self | NDArray[T]:
        # Python looks into the instance's dictionary first, so that reading a column costs no call.
        return self if instance is None else self.of(instance)

    def of(self, table: Holder) -> NDArray[T]:
        """Array of this column in a table."""
        return cast("NDArray[T]", table.__dict__[self.name])

    def put(self, table: Holder, array: NDArray[Any]) -> None:
        """Replace the array of this column in a table."""
        table.__dict__[self.name] = array

    def before(self, key: str) -> Column[T]:
        """Column that holds, for each kept frame, the value of this one before that frame."""
        return Column(
            key,
            self.dtype,
            self.fill,
            (Axis.KEPT_SLOTS, *self.axes),
            source=self,
            doc=f"{self.key} before each kept frame",
        )

    def empty(self, rows: int, lengths: Mapping[Axis, int]) -> NDArray[T]:
        """(rows, …) array that holds the fill value everywhere."""
        return np.full((rows, *(lengths[axis] for axis in self.axes)), self.fill, dtype=self.dtype)


def declared(owner: type) -> tuple[Column[Any], ...]:
    """Columns that a class and its bases declare, in the order of declaration."""
    return tuple(
        value for base in reversed(owner.__mro__) for value in vars(base).values() if isinstance(value, Column)
    )


def in_group(columns: Iterable[Column[Any]], group: Group) -> tuple[Column[Any], ...]:
    """Those of the columns that belong to a group."""
    return tuple(column for column in columns if group & column.group)
