"""Simulated sensors with and without faults: the training data of the bundle `sensor`.

>>> from tocsin.bundle.manifest import ChannelEntry
>>> from pathlib import Path
>>> from tocsin_training.data.dataset import DataRequest
>>> channel = ChannelEntry(name="value", unit="1", low=-1e30, high=1e30)
>>> options = {"valid_streams": 12, "valid_ticks": 600}
>>> request = DataRequest("valid", Path(), (channel,), 1.0, 10.0, 1, options)
>>> len(sensors(request)), bool((sensors(request).x == sensors(request).x).all())
(12, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.sensor.faults import FAULTS
from tocsin_training.simulation.sensor.shapes import FAMILIES, chosen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import DataRequest

PARTS = {"train": 1, "valid": 2, "test": 3}
TEST_STREAMS, TEST_TICKS = 160, 4000  # where a recipe, which trains on the others, says nothing
DETECTION_TICKS = 30  # ticks from a fault's onset in which an alarm is a detection
SETTLING = 100  # ticks after a fault in which an alarm counts neither way
EARLIEST = 0.15  # share of a series before which nothing goes wrong
APART = 0.12  # share of a series between two faults at least
TOGETHER = 4  # series of a family drawn at once


@dataclass(frozen=True, slots=True)
class Simulated:
    """One series.

    Attributes:
        value: (T,) float64 in its own unit.
        faults: Onset and length in ticks of each fault, in order.
    """

    value: NDArray[np.float64]
    faults: tuple[tuple[int, int], ...]


def normal(rng: np.random.Generator, streams: int, ticks: int) -> NDArray[np.float64]:
    """Series (B, T) without faults: of one family or two, some rounded, each in a unit of its own."""
    made: list[NDArray[np.float64]] = []
    while len(made) * TOGETHER < streams:
        part = _scaled(FAMILIES[rng.integers(len(FAMILIES))](rng, TOGETHER, ticks))
        other = _scaled(FAMILIES[rng.integers(len(FAMILIES))](rng, TOGETHER, ticks))
        share = np.where(chosen(rng, TOGETHER, 0.25), rng.uniform(0.1, 1.0, (TOGETHER, 1)), 0.0)
        part += share * other
        rounded = chosen(rng, TOGETHER, 0.25)
        grain = 10.0 ** rng.uniform(-2.0, 0.0, (TOGETHER, 1))
        part = np.where(rounded, np.round(part / grain) * grain, part)
        made.append(part)
    drawn = np.concatenate(made)
    drawn = drawn[rng.permutation(len(drawn))[:streams]]
    unit = 10.0 ** rng.uniform(-6.0, 9.0, (streams, 1))
    level = np.where(chosen(rng, streams, 0.5), 0.0, rng.normal(0.0, 30.0, (streams, 1)))
    return unit * (drawn + level)


def _scaled(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row divided by its deviation, so that added families have equal weight."""
    deviation = rows.std(axis=1, keepdims=True)
    return rows / np.where(deviation > 0, deviation, 1.0)


def simulate(seed: int, part: str, streams: int, ticks: int, faulty: float) -> list[Simulated]:
    """Draw series, a share of them with one to three faults."""
    rng = np.random.default_rng([seed, PARTS[part]])
    made = []
    for row in normal(rng, streams, ticks):
        faults: list[tuple[int, int]] = []
        if rng.random() < faulty:
            onsets = np.sort(rng.integers(int(EARLIEST * ticks), int(0.97 * ticks), rng.integers(1, 4)))
            for onset in onsets.tolist():
                if faults and onset - sum(faults[-1]) < APART * ticks:
                    continue
                length = FAULTS[rng.integers(len(FAULTS))](rng, row, onset)
                faults.append((onset, min(length, ticks - onset)))
        made.append(Simulated(row, tuple(faults)))
    return made


def record(stream: str, series: Simulated, miss: float) -> StreamRecord:
    """Record with label and gain: an alarm gains in the first ticks of a fault and costs `miss` less elsewhere."""
    ticks = len(series.value)
    label = np.zeros(ticks, dtype=np.float32)
    gain = np.full(ticks, -1.0, dtype=np.float32)
    for onset, length in series.faults:
        gain[onset : onset + length + SETTLING] = 0.0
        label[onset : onset + min(length + 3, DETECTION_TICKS)] = 1.0
        gain[onset : onset + min(length + 3, DETECTION_TICKS)] = miss
    return StreamRecord(stream, np.arange(ticks), series.value[:, None], label, gain)


def sensors(request: DataRequest) -> StreamDataset:
    """Sensors for a recipe; `options`: for each part its `_streams` and `_ticks`; `faulty`, `miss`."""
    if request.part not in PARTS:
        raise TrainingError(f"simulated sensors have no part {request.part!r}; ask for {' or '.join(PARTS)}")
    options = request.options
    usual = (TEST_STREAMS, TEST_TICKS) if request.part == "test" else (None, None)
    streams, ticks = (request.number(what, n) for what, n in zip(("streams", "ticks"), usual, strict=True))
    faulty = float(str(options.get("faulty", 0.8)))
    miss = float(str(options.get("miss", 1.0)))
    made = simulate(request.seed, request.part, streams, ticks, faulty)
    return StreamDataset.of(
        request.channels,
        request.period_s,
        request.delta_cap_s,
        (record(f"{request.part}-{number}", series, miss) for number, series in enumerate(made)),
    )
