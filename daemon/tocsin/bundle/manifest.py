"""The manifest: what a bundle says about its graph.

This is the contract between training, which writes it, and the daemon, which refuses what doesn't fit.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tocsin.engine.model import ChannelKind, Task

SCHEMA_VERSION: Final = 1

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ChannelEntry(_Frozen):
    """One column of the graph."""

    name: Name
    unit: str = Field(description="UCUM, such as mm[Hg], /min, %, Cel; 1 for none.")
    low: float = Field(description="The lowest plausible value; below it a reading is a sensor fault.")
    high: float = Field(description="The highest plausible value.")
    kind: ChannelKind = ChannelKind.READING
    expected: bool = Field(default=True, description="Whether a frame waits for it.")

    @model_validator(mode="after")
    def _range_is_one(self) -> Self:
        if self.low >= self.high:
            msg = f"channel {self.name!r}: low {self.low} is not below high {self.high}"
            raise ValueError(msg)
        return self


class Calibration(_Frozen):
    """What a score means."""

    scale: Literal["surprise", "probability"] = Field(
        description="surprise: a forecast's normalised misfit; probability: of the event within the horizon."
    )
    threshold: float = Field(description="The operating point: chosen on validation data, never on test data.")
    chosen_by: str = Field(description="How the threshold was chosen, on what data.")


class Source(_Frozen):
    """Where training data came from."""

    name: str
    licence: str
    citation: str
    part: str = Field(description="Which part was trained on.")


class Manifest(_Frozen):
    """`manifest.json` of a bundle."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    version: str = Field(pattern=r"^[0-9]+(\.[0-9]+)*$")
    task: Task
    cell: Literal["rnn", "lstm", "gru"]
    summary: str = Field(description="One line for a person.")
    channels: tuple[ChannelEntry, ...] = Field(min_length=1)
    period_s: float = Field(gt=0, description="The length of a tick.")
    horizon_s: float | None = Field(default=None, gt=0, description="alarm: how far ahead the event may lie.")
    state_size: int = Field(gt=0, description="S, float32 values that a stream carries from tick to tick.")
    warm_up_ticks: int = Field(ge=0, description="After a reset the score is unknown for so many frames.")
    max_gap_ticks: int = Field(gt=0, description="A longer silence resets a stream's state.")
    delta_cap_s: float = Field(gt=0, description="`delta` is cut here, as in training.")
    calibration: Calibration
    training: tuple[Source, ...] = Field(min_length=1)
    figures: dict[str, float] = Field(description="What was measured, by what the report calls it.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of model.onnx.")

    @model_validator(mode="after")
    def _channels_differ(self) -> Self:
        names = [channel.name for channel in self.channels]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            msg = f"channels named twice: {', '.join(doubled)}"
            raise ValueError(msg)
        return self
