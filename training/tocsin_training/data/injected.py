"""Data source with synthetic anomalies in another source's streams.

data:
  source: tocsin_training.data.injected:injected
  options:
    source: tocsin_training.simulation.ward.vitals_source:normal
    options: {train_beds: 96, train_hours: 4, valid_beds: 48, valid_hours: 8}
    parts: [test]
    per_stream: 2
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field, JsonValue, ValidationError

from tocsin.engine.model import ChannelKind
from tocsin_training.data.injection import AnomalyKind, draw, inject
from tocsin_training.data.options import DataOptions, faults
from tocsin_training.data.sources import find
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import DataRequest, StreamDataset

_SOURCE = "tocsin_training.data.injected:injected"


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError("the larger comes first; turn the two round")
    return ends


_Size = Annotated[float, Field(gt=0)]  # an anomaly of no size would be labelled, and be none
_Tick = Annotated[int, Field(ge=1)]
_Ticks = Annotated[tuple[_Tick, _Tick], AfterValidator(_ascending)]


class InjectedOptions(DataOptions):
    """`data.options` for `tocsin_training.data.injected:injected`."""

    source: str = Field(pattern=r"^[\w.]+:\w+$", description="Whose streams.")
    options: dict[str, JsonValue] = Field(default={}, description="For that source.")
    parts: tuple[Literal["train", "valid", "test"], ...] = Field(default=("train", "valid", "test"))
    per_stream: int = Field(default=1, ge=1, description="Anomalies in each stream; they may overlap.")
    kinds: tuple[AnomalyKind, ...] = Field(default=tuple(AnomalyKind), min_length=1)
    size: Annotated[tuple[_Size, _Size], AfterValidator(_ascending)] = Field(
        default=(2.0, 6.0), description="Smallest and largest, standard deviations."
    )
    length: _Ticks = Field(default=(10, 100), description="Shortest and longest, ticks.")
    lag: _Ticks = Field(default=(2, 20), description="Shortest and longest, ticks.")
    false_alarm: float = Field(
        default=0.05, gt=0, description="Cost of an alarm outside of anomalies, relative to the gain of one inside."
    )


def injected(request: DataRequest) -> StreamDataset:
    """One part of another source, each stream with labelled anomalies.

    Raises:
        TrainingError: The options are invalid.
    """
    try:
        options = InjectedOptions.model_validate(request.options)
    except ValidationError as error:
        raise TrainingError(faults(error, _SOURCE)) from error
    data = find(options.source)(replace(request, options=options.options))
    if request.part not in options.parts:
        return labelled(data, known(data), options.false_alarm)
    return into(data, request.seed, options)


def into(data: StreamDataset, seed: int, options: InjectedOptions) -> StreamDataset:
    """Inject anomalies into streams; those of a stream depend on the seed and its name alone.

    Values are clipped to the channel's plausible range: beyond it the engine would reject them.
    """
    x, label = np.array(data.x), known(data)
    reading = [c for c, channel in enumerate(data.channels) if channel.kind is ChannelKind.READING]
    low, high = (np.array([getattr(channel, end) for channel in data.channels]) for end in ("low", "high"))
    for stream, start, end in zip(data.streams, data.start, data.start[1:], strict=False):
        if end - start < 2:  # noqa: PLR2004  (something has to precede an anomaly)
            continue
        rng = np.random.default_rng([seed, *stream.encode()])
        observed = data.mask[start:end] > 0
        values = np.where(observed, data.x[start:end], np.nan).astype(np.float64)
        for _ in range(options.per_stream):
            anomaly = draw(
                rng,
                int(end - start),
                reading,
                kinds=options.kinds,
                size=options.size,
                length=options.length,
                lag=options.lag,
            )
            made = inject(values, anomaly, rng)
            values = np.clip(made.values, low, high)
            label[start:end] = np.maximum(label[start:end], made.label)
        x[start:end] = np.where(observed, values, 0.0)
    return labelled(replace(data, x=x), label, options.false_alarm)


def known(data: StreamDataset) -> NDArray[np.float32]:
    """Labels of the source (R,), to write on; zeros if it has none."""
    return np.zeros(len(data.x), dtype=np.float32) if data.label is None else np.array(data.label)


def labelled(data: StreamDataset, label: NDArray[np.float32], false_alarm: float) -> StreamDataset:
    """Dataset with a label (R,), and the gain of an alarm in each row."""
    gain = np.where(label > 0, 1.0, -false_alarm).astype(np.float32)
    return replace(data, label=label, gain=gain)
