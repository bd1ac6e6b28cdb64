"""Recipes: everything a bundle is made from, in one YAML file beside the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from tocsin.bundle.manifest import ChannelEntry, DataSource, Level, Name
from tocsin.engine.model import ChannelKind, Task
from tocsin_training.errors import TrainingError, told

if TYPE_CHECKING:
    from pathlib import Path


Delay = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataRecipe(_Part):
    """Where sequences come from."""

    source: str = Field(
        pattern=r"^[\w.]+:\w+$",
        description="`module:function`; the function takes a `Request` and gives `Sequences`.",
    )
    options: dict[str, JsonValue] = Field(default={}, description="For the source alone.")
    teacher: str | None = Field(
        default=None,
        pattern=r"^[\w.]+:\w+$",
        description="alarm: `module:function`, which judges the training rows for loss.teacher; see `distil.py`.",
    )
    curve_on: str = Field(
        default="valid", description="The part on whose normal streams the curve of false alarms is counted."
    )


class NetworkRecipe(_Part):
    """The network."""

    cell: Literal["rnn", "lstm", "gru"]
    layers: int = Field(default=1, ge=1, le=4)
    width: int = Field(default=64, ge=1, le=1024, description="Of h.")
    inputs: int = Field(default=0, ge=0, le=1024, description="Width of a dense layer before the recurrence; 0: none.")
    dropout: float = Field(default=0.0, ge=0, lt=1)
    input_dropout: float = Field(default=0.0, ge=0, lt=1, description="Of the features, before anything is learned.")
    forget_bias: float = Field(default=1.0, description="lstm: the forget gate starts open.")
    memory: tuple[Literal["ages", "summary", "trend", "pace", "tide"], ...] = Field(
        default=("ages",), description="What is remembered of each channel beside its last value; see `memory.py`."
    )
    scale: Literal["fitted", "running"] = Field(
        default="fitted",
        description="fitted: channels are normalised by the training data; running: by their own stream, whatever its "
        "unit, and `running_scale.py` remembers instead of `memory`.",
    )
    decay: Literal["none", "inputs", "state", "both"] = Field(
        default="none", description="What fades, at learned rates, while channels are missing; see `decay.py`."
    )
    logarithmic: tuple[Name, ...] = Field(default=(), description="Channels taken as log(1 + x).")
    stir: float = Field(
        default=0.0, ge=0, description="Added to each channel's standard deviation: for those that hardly ever stir."
    )
    expects: Literal["change", "level"] = Field(
        default="change",
        description="change: the last value and what is added to it; level: the value itself, so that what strays "
        "and stays stays surprising.",
    )
    spread: Literal["learned", "constant"] = Field(
        default="learned",
        description="Of a forecast, learned from the stream's past, or one for each channel: what unsettles the "
        "network then settles nothing.",
    )
    head: Literal["normal", "student_t"] = Field(
        default="normal", description="What a forecast is the mean and scale of; a Student-t takes outliers calmly."
    )
    df: float | None = Field(
        default=None, ge=2.5, le=100, description="student_t: degrees of freedom; learned by channel if left out."
    )

    @model_validator(mode="after")
    def _runs_alone(self) -> Self:
        plain = not self.logarithmic and self.decay in {"none", "state"} and self.expects == "change"
        if self.scale == "running" and not plain:
            msg = "scale running takes no logarithmic, no decay of inputs and no expected level: leave them out"
            raise ValueError(msg)
        return self


class ScoreRecipe(_Part):
    """forecast: how residuals become a score."""

    kind: Literal["nll", "ewma", "departure", "whitened"] = "nll"
    ticks: float = Field(default=30.0, ge=1, description="ewma, whitened: evidence is gathered over so many ticks.")
    first_ticks: float = Field(default=1.0, ge=1, description="whitened: residuals are averaged over so many first.")
    slack: float = Field(
        default=0.0,
        ge=0,
        description="whitened: a variance, in squares of the forecast's scale, by which any channel may stray.",
    )
    clip: float = Field(default=8.0, gt=0, description="Standardised residuals are cut here: one artefact is one.")


class BesideRecipe(_Part):
    """alarm: trees in the graph, whose logit is averaged with the networks'."""

    trees: str = Field(
        pattern=r"^[\w.]+:\w+$", description="`module:class`, see `beside.Grower`; an ensemble is grown for each fold."
    )
    weight: float = Field(default=0.5, gt=0, lt=1, description="Of the trees' logit; the networks' has the rest.")
    each: int = Field(default=1, ge=1, le=20, description="Ensembles a fold, by so many seeds.")


class HorizonRecipe(_Part):
    """seq2seq: what is told of the frames to come."""

    ticks: int = Field(ge=2, le=240, description="K, how many are decoded.")
    quantiles: tuple[Level, ...] = Field(
        default=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
        min_length=2,
        description="Levels of the minimum and maximum over the horizon, ascending.",
    )
    width: int = Field(default=32, ge=1, le=1024, description="Of the decoder's h.")
    every: int = Field(default=1, ge=1, description="In training, the decoder starts from one tick in so many.")

    @model_validator(mode="after")
    def _levels_ascend(self) -> Self:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            msg = f"horizon.quantiles {', '.join(map(str, self.quantiles))} do not ascend; sort them, each once"
            raise ValueError(msg)
        return self


class LossRecipe(_Part):
    """What is minimised beside the forecast of the next frame; `gain`, `label`, `positive`, `smoothing`: for alarm."""

    gain: float = Field(default=1.0, ge=0, description="Weight of the cross-entropy weighted by each row's gain.")
    label: float = Field(default=0.0, ge=0, description="Weight of the plain cross-entropy with the label.")
    positive: float = Field(default=1.0, gt=0, description="What a positive row weighs in the latter.")
    teacher: float = Field(
        default=0.0, ge=0, description="Weight of the plain cross-entropy with what data.teacher says."
    )
    smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=0.5,
        description="Wanted are this and 1 - this, not 0 and 1: onsets are dated to the hour.",
    )
    following: float = Field(default=0.1, gt=0, description="alarm, classify: weight of the next frame's forecast.")
    burn_in: int = Field(default=0, ge=0, description="classify: ticks of a stream before its class need be known.")
    extremes: float = Field(default=1.0, ge=0, description="seq2seq: weight of the pinball loss of its quantiles.")


class TrainingRecipe(_Part):
    """Backpropagation through time."""

    bptt: int | Literal["full"] = Field(
        default="full", description="Ticks a gradient reaches back; beyond them the state is carried, detached."
    )
    batch: int = Field(default=64, ge=1, description="Streams.")
    precision: Literal["auto", "full", "mixed"] = Field(
        default="auto", description="Of matrix products; auto: mixed where there is an accelerator."
    )
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=5, ge=1, description="Epochs without a better validation loss before it stops.")
    learning_rate: float = Field(default=2e-3, gt=0, description="At its peak: a warm-up precedes, a cosine follows.")
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="Of the gradient's norm.")
    turns: int = Field(
        default=1,
        ge=1,
        le=20,
        description="alarm with a teacher: of the streams without an event an epoch sees one in so many, in turn.",
    )
    forget_static: float = Field(default=0.0, ge=0, lt=1, description="How often a stream's static channel is hidden.")
    forget_reading: float = Field(
        default=0.0, ge=0, lt=1, description="How often a stream's reading is, which is foretold from the others then."
    )
    folds: int = Field(
        default=1,
        ge=1,
        le=20,
        description="alarm: members, each stopped on its own fold of train; 1: one, stopped on valid.",
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
    """What the daemon needs to know beside the graph."""

    period_s: float = Field(gt=0)
    any_period: bool = Field(default=False, description="The network counts ticks, whatever their length.")
    delta_cap_s: float = Field(gt=0)
    warm_up_ticks: int = Field(ge=0)
    max_gap_ticks: int = Field(gt=0)
    horizon_s: float | None = Field(
        default=None, ge=0, description="alarm: how far ahead the event may lie; 0 if it is told as it comes."
    )
    false_alarms_per_day: float = Field(
        default=1.0, gt=0, description="anomaly: the threshold lets so many onsets through per stream-day of `valid`."
    )
    on_delay_ticks: int = Field(
        default=0,
        ge=0,
        description="anomaly: an onset counts if it lasts longer, as an alarm with this on-delay would.",
    )
    curve_delays_ticks: tuple[tuple[Delay, Delay], ...] = Field(
        default=((0, 0), (3, 0), (3, 30), (10, 0), (10, 60), (30, 60)),
        description="The on- and off-delays of alarms that the curve of false alarms knows.",
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
    beside: BesideRecipe | None = None
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
    def _fits_together(self) -> Self:
        if not any(channel.kind is ChannelKind.READING for channel in self.channels):
            msg = "channels has none of kind reading; a model needs something that is measured"
            raise ValueError(msg)
        if self.task is Task.ALARM and self.serving.horizon_s is None:
            msg = "task alarm needs serving.horizon_s: how many seconds ahead the event may be; 0 if told as it comes"
            raise ValueError(msg)
        if (self.data.teacher is not None) != (self.loss.teacher > 0):
            given = f"data.teacher {self.data.teacher} and loss.teacher {self.loss.teacher:g}"
            msg = f"{given} go together; give both or none"
            raise ValueError(msg)
        if self.task is Task.ALARM and not self.loss.gain + self.loss.label + self.loss.teacher:
            msg = "loss.gain, label and teacher are all 0, so nothing would be learned of the event; raise one"
            raise ValueError(msg)
        if self.training.turns > 1 and (not self.data.teacher or self.loss.gain or self.loss.label):
            msg = (
                f"training.turns {self.training.turns} would teach labels as if the event were common; "
                "say 1, or learn from data.teacher alone, with loss.gain and loss.label 0"
            )
            raise ValueError(msg)
        if self.data.teacher and self.training.folds == 1:
            msg = "data.teacher needs training.folds of 3 or more: a teacher judges folds that it was not fitted on"
            raise ValueError(msg)
        if self.serving.any_period and self.network.scale != "running":
            msg = "serving.any_period needs network.scale running: fitted networks read seconds"
            raise ValueError(msg)
        if self.beside is not None and self.training.folds == 1:
            msg = "beside needs training.folds of 3 or more: trees judge folds that they were not grown on"
            raise ValueError(msg)
        if self.task is not Task.ALARM and self.training.folds > 1:
            msg = f"training.folds {self.training.folds} fits task alarm only; say 1"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _says_what_its_task_needs(self) -> Self:
        for name, task in (("classes", Task.CLASSIFY), ("horizon", Task.SEQ2SEQ), ("profile", Task.GENERATE)):
            if getattr(self, name) is not None and self.task is not task:
                msg = f"{name} belongs to task {task} alone, and task is {self.task}; remove it"
                raise ValueError(msg)
            if getattr(self, name) is None and self.task is task:
                msg = f"task {task} needs {name}; add it"
                raise ValueError(msg)
        static = {channel.name for channel in self.channels if channel.kind is ChannelKind.STATIC}
        if self.profile is not None and (set(self.profile) != static or len(self.profile) != len(static)):
            msg = f"profile has to name every static channel once ({', '.join(sorted(static)) or 'there is none'})"
            raise ValueError(msg)
        if self.score.kind in {"departure", "whitened"} and self.task is not Task.FORECAST:
            msg = f"score.kind {self.score.kind} fits task forecast only, and task is {self.task}; say nll or ewma"
            raise ValueError(msg)
        if self.network.scale == "running" and self.task in {Task.SEQ2SEQ, Task.GENERATE}:
            msg = f"network.scale running says nothing of more than one step, and task is {self.task}; say fitted"
            raise ValueError(msg)
        if self.network.df is not None and self.network.head != "student_t":
            msg = f"network.df {self.network.df:g} fits head student_t only; add `head: student_t`, or remove df"
            raise ValueError(msg)
        return self


class _Texts(SafeConstructor):
    """Times stay what was written: sources read them as they read a table's."""


_Texts.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def _yaml() -> YAML:
    yaml = YAML(typ="safe")
    yaml.Constructor = _Texts
    return yaml


def read(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        TrainingError: If the file is absent, no YAML or no recipe; the text says which key, which value.
    """
    try:
        content = _yaml().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"recipe {path}: {error.strerror}; give the path of a YAML file") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"recipe {path}: not YAML: {' '.join(str(error).split())}; mend the file") from error
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in fault['loc']) or 'recipe'}: {told(fault)}"
            for fault in error.errors(include_url=False)
        ]
        remedy = "  mend these lines; `tocsin_training/recipe.py` lists every key"
        raise TrainingError("\n".join([f"recipe {path} is not valid:", *lines, remedy])) from error
