"""Options of the table source, as a recipe gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tocsin.config.types import Seconds
from tocsin_training.errors import TrainingError, described

if TYPE_CHECKING:
    from collections.abc import Mapping


class DataOptions(BaseModel):
    """`data.options` of a source; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SplitOptions(DataOptions):
    """Split into train, valid and test: by stream, or by time within each stream; never by row."""

    by: Literal["stream", "time"]
    valid: float = Field(default=0.0, ge=0, lt=1, description="stream: the share of streams that go to `valid`.")
    test: float = Field(default=0.0, ge=0, lt=1, description="stream: the share that go to `test`.")
    valid_from: str | float | None = Field(default=None, description="time: where `train` ends, as the table's times.")
    test_from: str | float | None = Field(default=None, description="time: where `valid` ends.")
    gap: Seconds = Field(
        default=0.0,
        description="time: what lies so close before a cut is left out; as long as a label looks ahead.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.by == "stream":
            if self.valid + self.test >= 1:
                raise ValueError(f"valid {self.valid:g} and test {self.test:g} leave nothing to train on; lower them")
            if self.valid_from is not None or self.test_from is not None or self.gap:
                raise ValueError("valid_from, test_from and gap go with by: time; leave them out or say so")
        else:
            if self.valid or self.test:
                raise ValueError("shares go with by: stream; say valid_from and test_from")
            if self.valid_from is None:
                raise ValueError("by: time needs valid_from: when training data end")
        return self


class TableOptions(DataOptions):
    """`data.options` for `tocsin_training.data.tables:table`."""

    files: str = Field(description="A file or a pattern such as pumps/*.parquet, in the folder of --data.")
    layout: Literal["wide", "long"] = Field(
        default="wide",
        description="wide: a column a channel; long: a row a value, `channel` and `value` say which.",
    )
    stream: tuple[str, ...] | str | None = Field(
        default=None, description="The column that names the stream, or several, joined by /; left out: a file is one."
    )
    time: str = Field(default="t", description="The column with the time.")
    unit: Literal["ns", "us", "ms", "s", "min", "h"] = Field(default="s", description="What a number in it counts.")
    channels: dict[str, str] = Field(
        default={}, description="Channel to column, or, in a long table, to what stands in its column `channel`."
    )
    channel: str = Field(default="channel", description="long: the column that names the channel.")
    value: str = Field(default="value", description="long: the column with the value.")
    label: str | None = Field(default=None, description="The column with 0 or 1.")
    kind: str | None = Field(
        default=None, description="classify: the column with the class of the row's stream, as the recipe names it."
    )
    false_alarm: float = Field(
        default=0.05,
        gt=0,
        description="Cost of an alarm where the label is 0, relative to the gain of one where it is 1.",
    )
    separator: Annotated[str, Field(pattern=r"^[\t -~]$")] = Field(default=",", description="Of CSV.")
    missing: tuple[str, ...] = Field(default=("",), description="CSV: what stands where nothing was measured.")
    split: SplitOptions

    @property
    def stream_columns(self) -> tuple[str, ...]:
        """Columns that name the stream; none if a file is a stream."""
        if self.stream is None:
            return ()
        return (self.stream,) if isinstance(self.stream, str) else self.stream


def read(given: Mapping[str, object], source: str) -> TableOptions:
    """Validate the options of a recipe.

    Raises:
        TrainingError: Names each invalid key.
    """
    try:
        return TableOptions.model_validate(given)
    except ValidationError as error:
        raise TrainingError(faults(error, source)) from error


def faults(error: ValidationError, source: str) -> str:
    """Faults of a source's options, one a line."""
    lines = [
        f"  {'.'.join(['data', 'options', *(str(part) for part in fault['loc'])])}: {described(fault)}"
        for fault in error.errors(include_url=False)
    ]
    return "\n".join([f"{source} cannot take these options:", *lines, "  docs/data.md lists them all"])
