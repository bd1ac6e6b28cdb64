"""Manifest of a bundle: the contract between training, which writes it, and the daemon, which checks it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tocsin.bundle.calibration import Curve
from tocsin.bundle.signature import Signature
from tocsin.engine.model import ChannelKind, Gaps, Task

SCHEMA_VERSION: Final = 2

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Level = Annotated[float, Field(gt=0, lt=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

# Fields of single tasks: required for the task, and illegal for others.
_OF_TASK: Final[dict[str, Task]] = {
    "classes": Task.CLASSIFY,
    "horizon_ticks": Task.SEQ2SEQ,
    "quantiles": Task.SEQ2SEQ,
    "profile": Task.GENERATE,
    "init_sha256": Task.GENERATE,
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ChannelEntry(_Frozen):
    """Channel: one column of the graph's inputs."""

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
    """Calibration of the score."""

    scale: Literal["surprise", "probability"] = Field(
        description="surprise: a forecast's normalised misfit; probability: of the event within the horizon, or of "
        "another class than the first."
    )
    threshold: float = Field(description="Operating point, chosen on validation data, never on test data.")
    chosen_by: str = Field(description="Criterion and data by which the threshold was chosen.")
    curve: Curve | None = Field(default=None, description="False alarms of other thresholds.")


class DataSource(_Frozen):
    """Source of training data."""

    name: str
    licence: str
    citation: str
    part: str = Field(description="Part that was trained on.")


class Manifest(_Frozen):
    """Content of `manifest.json`."""

    schema_version: Literal[2] = SCHEMA_VERSION
    name: Name
    version: str = Field(pattern=r"^[0-9]+(\.[0-9]+)*$")
    task: Task
    cell: Literal["rnn", "lstm", "gru"]
    summary: str = Field(description="One line for a person.")
    channels: tuple[ChannelEntry, ...] = Field(min_length=1)
    period_s: float = Field(gt=0, description="Length of a tick.")
    any_period: bool = Field(
        default=False, description="The graph counts ticks, not seconds: a watch may give them another length."
    )
    horizon_s: float | None = Field(
        default=None, ge=0, description="alarm: how far ahead the event may lie; 0 if it is detected as it comes."
    )
    horizon_ticks: int | None = Field(default=None, gt=0, description="seq2seq: K, number of frames forecast.")
    quantiles: tuple[Level, ...] | None = Field(
        default=None,
        min_length=1,
        description="seq2seq: levels of the minimum and maximum over the horizon, ascending.",
    )
    classes: tuple[Name, ...] | None = Field(
        default=None, min_length=2, description="classify: by the graph's columns; the first is the normal one."
    )
    df: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        default=None,
        description="By channel, the degrees of freedom of a Student-t that `mean` and `scale` stand for; a normal if "
        "left out.",
    )
    profile: tuple[Name, ...] | None = Field(
        default=None, min_length=1, description="generate: the static channels that init.onnx takes, by its columns."
    )
    state_size: int = Field(gt=0, description="S, float32 values that a stream carries from tick to tick.")
    warm_up_ticks: int = Field(ge=0, description="Number of frames after a reset for which the score is unknown.")
    max_gap_ticks: int = Field(gt=0, description="A longer silence resets a stream's state.")
    delta_cap_s: float = Field(gt=0, description="`delta` is cut here, as in training.")
    gaps: Gaps = Field(
        default=Gaps.DELTA,
        description="delta: ticks without a frame are bridged by the next frame's `delta`; blind: they are stepped "
        "with nothing observed, as in training.",
    )
    max_blind: int = Field(default=30, gt=0, description="Maximum number of ticks of a gap that are stepped blind.")
    calibration: Calibration
    training: tuple[DataSource, ...] = Field(min_length=1)
    figures: dict[str, float] = Field(description="Measured figures, by their names in the report.")
    sha256: Sha256 = Field(description="Of model.onnx.")
    init_sha256: Sha256 | None = Field(default=None, description="generate: of init.onnx.")

    @model_validator(mode="before")
    @classmethod
    def _is_of_this_schema(cls, data: object) -> object:
        found = data.get("schema_version", SCHEMA_VERSION) if isinstance(data, dict) else SCHEMA_VERSION
        if found != SCHEMA_VERSION:
            msg = (
                f"schema_version is {found!r:.20} (legal: {SCHEMA_VERSION}): export the bundle again with "
                "`tocsin train`, or take one of this release"
            )
            raise ValueError(msg)
        return data

    @model_validator(mode="after")
    def _channels_differ(self) -> Self:
        names = [channel.name for channel in self.channels]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            msg = f"channels named twice: {', '.join(doubled)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_the_fields_of_its_task(self) -> Self:
        for name, task in _OF_TASK.items():
            given = getattr(self, name) is not None
            if given != (self.task is task):
                msg = f"{name} {'belongs to' if given else 'is missing for'} task {task}, and task is {self.task}"
                raise ValueError(msg)
        if self.df is not None and len(self.df) != len(self.channels):
            msg = f"df has {len(self.df)} entries for {len(self.channels)} channels"
            raise ValueError(msg)
        for name in ("quantiles", "classes", "profile"):
            entries = getattr(self, name) or ()
            if len(set(entries)) < len(entries) or (name == "quantiles" and list(entries) != sorted(entries)):
                msg = (
                    f"{name} must differ{' and ascend' if name == 'quantiles' else ''}: {', '.join(map(str, entries))}"
                )
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _profile_is_static(self) -> Self:
        static = {channel.name for channel in self.channels if channel.kind is ChannelKind.STATIC}
        if self.profile is not None and set(self.profile) != static:
            msg = f"profile is {', '.join(self.profile)} (legal: the static channels: {', '.join(sorted(static))})"
            raise ValueError(msg)
        return self

    @property
    def signature(self) -> Signature:
        """Shapes of its graph."""
        return Signature(
            self.task,
            channels=len(self.channels),
            state_size=self.state_size,
            horizon_ticks=self.horizon_ticks or 0,
            classes=len(self.classes or ()),
            quantiles=len(self.quantiles or ()),
        )
