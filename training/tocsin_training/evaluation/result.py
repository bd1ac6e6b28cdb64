"""Result of an evaluation, as `tocsin evaluate` writes it and `tocsin report` reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Estimate(_Part):
    """A figure and its 95 % interval by a bootstrap over streams.

    An infinite delay is "never": more than that share of the events was missed. NaN is unknown.
    """

    value: float
    low: float
    high: float


class OperatingPoint(_Part):
    """Detection and false alarms at one threshold."""

    threshold: float
    figures: dict[str, Estimate] = Field(
        description="By name: recall, precision, F1, false alarms a day, time in alarm, delays."
    )
    events: int
    detected: int
    standing: int
    false: int
    repeats: int
    delays_s: list[float] = Field(description="Of each event, infinite where it was missed; below 0 is a lead.")


class DetectionCurve(_Part):
    """False alarms against detection, by falling threshold."""

    threshold: list[float]
    false_per_day: list[float]
    recall: list[float]


class Detector(_Part):
    """One row of the tables."""

    name: str
    about: str
    figures: dict[str, Estimate] = Field(description="Those that need no alarm: ranking, utility, NAB.")
    own: OperatingPoint | None = Field(default=None, description="At its own operating point, where it has one.")
    equal: OperatingPoint | None = Field(default=None, description="At the bundle's rate of false alarms.")
    behind: dict[str, Estimate] = Field(
        default={}, description="The bundle's figure less this one's, each replicate drawing the same streams for both."
    )
    curve: DetectionCurve | None = None


class Bin(_Part):
    """Rows of similar probability."""

    predicted: float
    observed: Estimate
    rows: int


class Budget(_Part):
    """A budget of false alarms and the rate observed."""

    per_day: float
    threshold: float
    realised: Estimate
    expected: float = Field(description="Alarms that the budget allows over the time judged.")


class ExcerptSeries(_Part):
    """One channel of an excerpt; None where missing."""

    name: str
    unit: str
    value: list[float | None]
    mean: list[float | None]
    scale: list[float | None]


class Excerpt(_Part):
    """A range of one stream around an event or an alarm, to be drawn."""

    kind: Literal["detected", "missed", "false"]
    chosen: str = Field(description="By which rule.")
    stream: str
    t_s: list[float] = Field(description="Since the stream began.")
    score: list[float | None]
    channels: list[ExcerptSeries]
    events: list[tuple[float, float]] = Field(description="From, to, in seconds.")
    up: list[tuple[float, float]] = Field(description="Likewise, while the alarm was up.")


class Setting(_Part):
    """Bundle, records and options of an evaluation."""

    bundle: str
    sha256: str
    task: str
    summary: str
    score: str
    data: str
    command: str
    threshold: float
    threshold_from: str
    on_delay_s: float
    off_delay_s: float
    period_s: float
    horizon_s: float | None
    seed: int
    replicates: int


class DataSummary(_Part):
    """Amount of data."""

    streams: int
    streams_with_events: int
    frames: int
    days: float
    normal_days: float
    events: int
    unjudged: float = Field(description="Share of frames whose label is unknown.")


class WarmUp(_Part):
    """Seconds from a stream's first frame to its first known score."""

    median_s: float
    longest_s: float
    never: int = Field(description="Streams that ended before there was one.")


class EvaluationResult(_Part):
    """Result of one evaluation."""

    schema_version: Literal[1] = 1
    setting: Setting
    extent: DataSummary
    warm_up: WarmUp
    detectors: list[Detector] = Field(min_length=1, description="The bundle first.")
    skipped: dict[str, str] = Field(description="Baselines that the data don't allow, and why.")
    reliability: list[Bin] = []
    budgets: list[Budget] = []
    stretches: list[Excerpt] = []


def read(path: Path) -> EvaluationResult:
    """Read the output of `tocsin evaluate`."""
    try:
        return EvaluationResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; give a file that `tocsin evaluate` wrote") from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "file"
        raise TrainingError(
            f"{path}: {place}: {fault['msg']}; give a file that this version's `tocsin evaluate` wrote"
        ) from error
