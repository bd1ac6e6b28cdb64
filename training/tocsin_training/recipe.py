"""Recipe schema: everything a bundle is made from. `recipe_file.read` reads recipes from YAML.

Rules of single tasks are in `tasks/`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from tocsin.bundle.manifest import ChannelEntry, DataSource, Level, Name
from tocsin.engine.model import ChannelKind, Task

Delay = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataRecipe(_Part):
    """Source of the training data."""

    source: str = Field(
        pattern=r"^[\w.]+:\w+$",
        description="`module:function`; the function takes a `DataRequest` and returns a `StreamDataset`.",
    )
    options: dict[str, JsonValue] = Field(default={}, description="Passed to the source.")
    teacher: str | None = Field(
        default=None,
        pattern=r"^[\w.]+:\w+$",
        description="alarm: `module:class` whose probabilities are learned with loss.teacher; see `distillation.py`.",
    )
    curve_part: str = Field(
        default="valid", description="Part of the data on whose normal streams the false-alarm curve is counted."
    )


class NetworkRecipe(_Part):
    """Architecture of the network."""

    cell: Literal["rnn", "lstm", "gru"]
    layers: int = Field(default=1, ge=1, le=4)
    width: int = Field(default=64, ge=1, le=1024, description="Width of h.")
    inputs: int = Field(default=0, ge=0, le=1024, description="Width of a dense layer before the recurrence; 0: none.")
    dropout: float = Field(default=0.0, ge=0, lt=1)
    input_dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout of the channel features.")
    forget_bias: float = Field(
        default=1.0, description="lstm: initial bias of the forget gate; above 0 it starts open."
    )
    channel_features: tuple[Literal["age", "summary", "trend", "rate", "envelope"], ...] = Field(
        default=("age",), description="Features of each channel beside its last value; see `channel_features.py`."
    )
    normalisation: Literal["fitted", "running"] = Field(
        default="fitted",
        description="fitted: by mean and deviation of the training data; running: by the stream's own level and scale, "
        "whatever its unit; `running_scale.py` then replaces `channel_features`.",
    )
    decay: Literal["none", "inputs", "state", "both"] = Field(
        default="none",
        description="Learned decay while channels are missing, of the inputs, the state or both; see `decay.py`.",
    )
    logarithmic: tuple[Name, ...] = Field(default=(), description="Channels taken as log(1 + x).")
    deviation_epsilon: float = Field(
        default=0.0, ge=0, description="Added to each channel's standard deviation, for channels that hardly vary."
    )
    forecast_target: Literal["change", "level"] = Field(
        default="change",
        description="change: the forecast is the last value plus a change; level: the value itself, so that a lasting "
        "shift stays surprising.",
    )
    forecast_scale: Literal["learned", "constant"] = Field(
        default="learned", description="Scale of a forecast: from the stream's past, or one for each channel."
    )
    distribution: Literal["normal", "student_t"] = Field(
        default="normal", description="Of a forecast; with a Student-t an outlier widens the scale less."
    )
    df: float | None = Field(
        default=None, ge=2.5, le=100, description="student_t: degrees of freedom; learned by channel if left out."
    )

    @model_validator(mode="after")
    def _runs_alone(self) -> Self:
        plain = not self.logarithmic and self.decay in {"none", "state"} and self.forecast_target == "change"
        if self.normalisation == "running" and not plain:
            msg = (
                "normalisation running excludes logarithmic, decay of inputs and forecast_target level: leave them out"
            )
            raise ValueError(msg)
        return self


class ScoreRecipe(_Part):
    """forecast: score made from the residuals."""

    kind: Literal["nll", "ewma", "departure", "whitened"] = "nll"
    ticks: float = Field(default=30.0, ge=1, description="ewma, whitened: time over which evidence is averaged.")
    first_ticks: float = Field(default=1.0, ge=1, description="whitened: time over which residuals are averaged first.")
    slack: float = Field(
        default=0.0,
        ge=0,
        description="whitened: added to the variance of every channel, in squares of the forecast's scale.",
    )
    clip: float = Field(default=8.0, gt=0, description="Standardised residuals are clipped here.")


class TreeEnsembleRecipe(_Part):
    """alarm: trees in the graph, whose logit is averaged with the networks'."""

    trainer: str = Field(
        pattern=r"^[\w.]+:\w+$", description="`module:class`, see `tree_ensemble.TreeTrainer`; fitted once a fold."
    )
    weight: float = Field(default=0.5, gt=0, lt=1, description="Of the trees' logit; the networks' has the rest.")
    ensembles_per_fold: int = Field(default=1, ge=1, le=20, description="Ensembles a fold, with different seeds.")


class HorizonRecipe(_Part):
    """seq2seq: the forecast horizon."""

    ticks: int = Field(ge=2, le=240, description="K, frames that are decoded.")
    quantiles: tuple[Level, ...] = Field(
        default=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
        min_length=2,
        description="Levels of the minimum and maximum over the horizon, ascending.",
    )
    width: int = Field(default=32, ge=1, le=1024, description="Width of the decoder's h.")
    anchor_stride: int = Field(default=1, ge=1, description="In training the decoder starts from every n-th tick only.")

    @model_validator(mode="after")
    def _levels_ascend(self) -> Self:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            msg = f"horizon.quantiles {', '.join(map(str, self.quantiles))} do not ascend; sort them, each once"
            raise ValueError(msg)
        return self


class LossRecipe(_Part):
    """Weights of the loss terms; `gain`, `label`, `positive`, `smoothing` and `teacher` are for alarm."""

    gain: float = Field(default=1.0, ge=0, description="Weight of the cross-entropy weighted by each row's gain.")
    label: float = Field(default=0.0, ge=0, description="Weight of the plain cross-entropy with the label.")
    positive: float = Field(default=1.0, gt=0, description="Weight of a positive row in the latter.")
    teacher: float = Field(
        default=0.0, ge=0, description="Weight of the cross-entropy with the probabilities of data.teacher."
    )
    smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=0.5,
        description="Label smoothing: targets are this and 1 - this in place of 0 and 1.",
    )
    forecast: float = Field(default=0.1, gt=0, description="alarm, classify: weight of the next frame's forecast.")
    burn_in: int = Field(default=0, ge=0, description="classify: first ticks of a stream without a class loss.")
    extremes: float = Field(default=1.0, ge=0, description="seq2seq: weight of the pinball loss of its quantiles.")


class TrainingRecipe(_Part):
    """Backpropagation through time."""

    bptt: int | Literal["full"] = Field(
        default="full",
        description="Ticks of a window of truncated backpropagation; its state goes into the next one, detached.",
    )
    batch: int = Field(default=64, ge=1, description="Streams in a batch.")
    precision: Literal["auto", "full", "mixed"] = Field(
        default="auto", description="Of matrix products; auto: mixed on an accelerator."
    )
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=5, ge=1, description="Epochs without a better validation loss before it stops.")
    learning_rate: float = Field(default=2e-3, gt=0, description="At its peak: a warm-up precedes, a cosine follows.")
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="Limit of the gradient's norm.")
    negative_subsampling: int = Field(
        default=1,
        ge=1,
        le=20,
        description="alarm with a teacher: of the streams without an event an epoch reads every n-th, in rotation.",
    )
    static_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Share of streams a static channel is hidden in."
    )
    reading_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Share of streams a reading is hidden in; it is forecast from the others."
    )
    folds: int = Field(
        default=1,
        ge=1,
        le=20,
        description="alarm: members of a cross-fit, each stopped on its own fold of train; 1: one, stopped on valid.",
    )
    seed: int = Field(default=1, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _reaches_back(self) -> Self:
        if self.bptt != "full" and self.bptt < 2:  # noqa: PLR2004  (a forecast needs a next frame)
            msg = f"bptt {self.bptt} is too short: a window holds a frame and the one after it; say 2 or more"
            raise ValueError(msg)
        if self.folds == 2:  # noqa: PLR2004  (half of the data is no training set)
            msg = "folds 2 would train on half of the streams; say 1, or 3 or more"
            raise ValueError(msg)
        return self


class ServingRecipe(_Part):
    """Settings of the manifest, for the daemon."""

    period_s: float = Field(gt=0)
    any_period: bool = Field(default=False, description="The network counts ticks, whatever their length.")
    delta_cap_s: float = Field(gt=0)
    warm_up_ticks: int = Field(ge=0)
    max_gap_ticks: int = Field(gt=0)
    horizon_s: float | None = Field(
        default=None,
        ge=0,
        description="alarm: how far ahead the event may lie; 0 for an event that is detected, not predicted.",
    )
    false_alarms_per_day: float = Field(
        default=1.0, gt=0, description="anomaly: onsets a stream-day of `valid` at the threshold."
    )
    on_delay_ticks: int = Field(
        default=0,
        ge=0,
        description="anomaly: on-delay of the alarm that the threshold is chosen for.",
    )
    curve_delays_ticks: tuple[tuple[Delay, Delay], ...] = Field(
        default=((0, 0), (3, 0), (3, 30), (10, 0), (10, 60), (30, 60)),
        description="On- and off-delays of the lines of the false-alarm curve.",
    )


class Recipe(_Part):
    """`training/recipes/NAME.yaml`."""

    name: Name
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$")]
    summary: str
    task: Task
    channels: tuple[ChannelEntry, ...] = Field(min_length=1)
    data: DataRecipe
    network: NetworkRecipe
    classes: tuple[Name, ...] | None = Field(default=None, min_length=2, description="classify: the first is normal.")
    horizon: HorizonRecipe | None = Field(default=None, description="seq2seq alone.")
    profile: tuple[Name, ...] | None = Field(default=None, min_length=1, description="generate: the static channels.")
    tree_ensemble: TreeEnsembleRecipe | None = None
    score: ScoreRecipe = ScoreRecipe()
    loss: LossRecipe = LossRecipe()
    training: TrainingRecipe
    serving: ServingRecipe
    sources: tuple[DataSource, ...] = Field(min_length=1, description="For the manifest and the card.")

    @model_validator(mode="after")
    def _names_nothing_twice(self) -> Self:
        names = [channel.name for channel in self.channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"channels names {', '.join(twice)} twice; remove one, or give it a name of its own"
            raise ValueError(msg)
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            msg = f"classes {', '.join(self.classes)} names one twice; remove it"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_logarithms(self) -> Self:
        lows = {channel.name: channel.low for channel in self.channels}
        for name in self.network.logarithmic:
            if name not in lows:
                msg = f"network.logarithmic names {name}, which channels does not list; add or remove it"
                raise ValueError(msg)
            if lows[name] <= -1:
                msg = f"network.logarithmic names {name}: from low {lows[name]:g} on there is no log(1 + x); remove it"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if not any(channel.kind is ChannelKind.READING for channel in self.channels):
            msg = "channels has none of kind reading; a model needs something that is measured"
            raise ValueError(msg)
        if (self.data.teacher is not None) != (self.loss.teacher > 0):
            given = f"data.teacher {self.data.teacher} and loss.teacher {self.loss.teacher:g}"
            msg = f"{given} go together; give both or none"
            raise ValueError(msg)
        if self.training.negative_subsampling > 1 and (not self.data.teacher or self.loss.gain or self.loss.label):
            msg = (
                f"training.negative_subsampling {self.training.negative_subsampling} would teach labels as if the "
                "event were common; say 1, or learn from data.teacher alone, with loss.gain and loss.label 0"
            )
            raise ValueError(msg)
        if self.data.teacher and self.training.folds == 1:
            msg = "data.teacher needs training.folds of 3 or more: a teacher judges folds that it was not fitted on"
            raise ValueError(msg)
        if self.serving.any_period and self.network.normalisation != "running":
            msg = "serving.any_period needs network.normalisation running: fitted networks read seconds"
            raise ValueError(msg)
        if self.tree_ensemble is not None and self.training.folds == 1:
            msg = "tree_ensemble needs training.folds of 3 or more: trees judge folds that they were not fitted on"
            raise ValueError(msg)
        if self.network.df is not None and self.network.distribution != "student_t":
            msg = (
                f"network.df {self.network.df:g} fits distribution student_t only; add `distribution: student_t`, or "
                "remove df"
            )
            raise ValueError(msg)
        static = {channel.name for channel in self.channels if channel.kind is ChannelKind.STATIC}
        if self.profile is not None and (set(self.profile) != static or len(self.profile) != len(static)):
            msg = f"profile has to name every static channel once ({', '.join(sorted(static)) or 'there is none'})"
            raise ValueError(msg)
        return self
