"""Formats of persisted data: their numbers, and the migration of older data to the current one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Format:
    """Current format of one kind of persisted data.

    Data carries its format number under `format`, and the version of Tocsin that wrote it under `version` where that
    is known.

    Attributes:
        what: Name of the data in errors.
        number: Number of the current format; 1 is the first.
        migrations: By number n, the function that turns data of format n into data of format n + 1.
    """

    what: str
    number: int
    migrations: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = field(default_factory=dict)

    def upgrade(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Migrate data to the current format.

        Raises:
            ValueError: The format is newer than the current one, or unknown.
        """
        written, version = data.get("format"), data.get("version")
        number = written
        while isinstance(number, int) and number in self.migrations:
            number, data = number + 1, self.migrations[number](data)
        if number != self.number:
            writer = "another version of Tocsin" if version is None else f"Tocsin {version}"
            raise ValueError(
                f"{self.what} has format {written}, written by {writer} (legal: format {self.number}; "
                "upgrade Tocsin to a version that reads it)"
            )
        return data if written == number else {**data, "format": number}
