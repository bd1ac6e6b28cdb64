"""Similarity of generated streams to the simulator's, on patients that the generator was not fitted on.

    python -m tocsin_studies.ward_generator models/ward-generator/1

Each patient is simulated for three hours, a stream is generated from the same profile, and a *twin* is simulated: the
same profile with another seed. The twin gives the difference of two streams of one profile by chance.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tocsin.bundle import load
from tocsin.bundle.generation import generate
from tocsin_training.export import bundle_folder
from tocsin_training.simulation.ward.profile_source import RESTING, at_rest, hours_of, lying
from tocsin_training.simulation.ward.simulator import CHANNELS, UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle

PATIENTS, HOURS = 96, 3
TEST_SEED, TWIN_SEED = 44_000_000, 45_000_000  # nothing was trained or chosen on these
LAGS_S = (10, 60, 300, 900)
PAIRS = (("hr", "sbp"), ("sbp", "dbp"), ("hr", "rr"), ("hr", "spo2"))


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """Statistics of B streams of C channels, means over them; L lags, P pairs.

    Attributes:
        mean: (B, C) each stream's mean.
        sd: (C,) within a stream.
        recall: (L, C) autocorrelation.
        together: (P,) correlation of two channels at the same time.
    """

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    recall: NDArray[np.float64]
    together: NDArray[np.float64]

    @classmethod
    def of(cls, streams: NDArray[np.floating], period_s: float) -> StreamStatistics:
        """Compute from streams (B, T, C)."""
        values = np.asarray(streams, dtype=np.float64)
        mean = values.mean(axis=1)
        off = values - mean[:, None]
        variance = np.maximum((off**2).mean(axis=1), 1e-12)  # (B, C)
        lags = [max(round(lag / period_s), 1) for lag in LAGS_S]
        recall = [((off[:, lag:] * off[:, :-lag]).mean(axis=1) / variance).mean(axis=0) for lag in lags]
        pairs = [(CHANNELS.index(a), CHANNELS.index(b)) for a, b in PAIRS]
        scaled = off / np.sqrt(variance)[:, None]
        together = [float((scaled[:, :, a] * scaled[:, :, b]).mean()) for a, b in pairs]
        return cls(mean, np.sqrt(variance.mean(axis=0)), np.stack(recall), np.array(together))


@dataclass(frozen=True, slots=True)
class GeneratorComparison:
    """The simulator's streams, their twins, and the generated ones."""

    simulated: StreamStatistics
    twins: StreamStatistics
    generated: StreamStatistics


def compare(bundle: Bundle, patients: int = PATIENTS, hours: int = HOURS, seed: int = TEST_SEED) -> GeneratorComparison:
    """Simulate patients and their twins, and generate streams of the same profiles."""
    every = round(bundle.manifest.period_s)
    simulated, twins, generated = [], [], []
    for number in range(patients):
        patient, twin = lying(seed + number), lying(TWIN_SEED + seed + number)
        twin.profile = patient.profile
        simulated.append(hours_of(patient, hours, every))
        twins.append(hours_of(twin, hours, every))
        profile = {f"{RESTING}{name}": value for name, value in at_rest(patient.profile).items()}
        made = generate(bundle, profile, 1, len(simulated[-1]), seed=number)
        columns = [made.channels.index(name) for name in CHANNELS]
        generated.append(made.values[0][:, columns])
    kinds = (np.stack(part) for part in (simulated, twins, generated))
    return GeneratorComparison(*(StreamStatistics.of(streams, bundle.manifest.period_s) for streams in kinds))


def figures(compared: GeneratorComparison) -> dict[str, float]:
    """Figures for the manifest, with those of twins as reference."""
    seen = compared.simulated
    found: dict[str, float] = {}
    for name, other in (("generated", compared.generated), ("twins", compared.twins)):
        ratio = other.sd / seen.sd
        apart = np.abs(other.mean - seen.mean).mean(axis=0) / seen.mean.std(axis=0)
        found |= {
            f"{name}: means apart, share of the spread between patients": float(apart.mean()),
            f"{name}: standard deviation, least of the simulated": float(ratio.min()),
            f"{name}: standard deviation, most of the simulated": float(ratio.max()),
            f"{name}: autocorrelations apart, mean": float(np.abs(other.recall - seen.recall).mean()),
            f"{name}: correlations of channels apart, mean": float(np.abs(other.together - seen.together).mean()),
        }
    return {name: round(value, 3) for name, value in found.items()}


def tables(compared: GeneratorComparison) -> str:
    """Section of the card, Markdown."""
    seen, made = compared.simulated, compared.generated
    lags = " | ".join(f"at {lag} s" for lag in LAGS_S)
    rows = [
        f"| {name}, {unit} | {np.abs(made.mean - seen.mean)[:, c].mean():.2f} ({_twins(compared, c):.2f}) "
        f"| {seen.sd[c]:.2f} | {made.sd[c]:.2f} | {_beside(seen.recall[:, c], made.recall[:, c])} |"
        for c, (name, unit) in enumerate(zip(CHANNELS, UNITS, strict=True))
    ]
    pairs = [
        f"| {a}, {b} | {one:.2f} | {other:.2f} |"
        for (a, b), one, other in zip(PAIRS, seen.together, made.together, strict=True)
    ]
    return TABLES.format(patients=len(seen.mean), lags=lags, rows="\n".join(rows), pairs="\n".join(pairs)).replace(
        "LINES", "---|" * len(LAGS_S)
    )


def _twins(compared: GeneratorComparison, c: int) -> float:
    return float(np.abs(compared.twins.mean - compared.simulated.mean)[:, c].mean())


def _beside(seen: Sequence[float] | NDArray[np.float64], made: Sequence[float] | NDArray[np.float64]) -> str:
    return " | ".join(f"{one:.2f}, {other:.2f}" for one, other in zip(seen, made, strict=True))


TABLES = """
## Similarity to the simulator

{patients} patients of other seeds, each simulated for three hours and generated from the same profile. *Apart* is the
mean distance of a stream's mean from the simulated one's, and in brackets the same for a twin, simulated with the same
profile and another random seed. Autocorrelations: simulated, generated.

| channel | means apart | standard deviation, simulated | generated | {lags} |
|---|---|---|---|LINES
{rows}

| correlation within a stream | simulated | generated |
|---|---|---|
{pairs}

Each frame's channels are drawn independently about their expected values, so two channels correlate less within a frame
than in the simulator; their course over time comes from the network.
"""

NOTES = """
## Purpose

The bundle generates streams, for demonstrations, load tests and augmentation; it watches none. Its training patients
are Tocsin's own simulation: at rest in the morning, with no artefact, no activity and no deterioration, one frame in
ten seconds. The profile is the patient's resting values; the simulator has no age, so the profile has none.

    tocsin generate ward-generator/1 --ticks 1080 --out patient.parquet \\
        --profile rest_hr=72,rest_spo2=97,rest_rr=15,rest_sbp=124,rest_dbp=70,rest_temp=36.8
    tocsin replay patient.parquet --topic 'vitals/ward/{stream}' --now

Known errors, from the tables below: heart rate and respiration lose their autocorrelation within a minute or two, where
a simulated patient keeps it for five to ten; temperature varies too much; the pulse follows the pressure too weakly. It
was trained for sixteen epochs only.

The threshold above is for `x` as a forecast; no alarm uses it.
"""


def main(folder: Path) -> None:
    """Measure a bundle, and put the figures into its manifest and card."""
    bundle = load(folder)
    compared = compare(bundle)
    kept = {name: value for name, value in bundle.manifest.figures.items() if name.startswith("validation")}
    manifest = bundle.manifest.model_copy(update={"figures": kept | figures(compared)})
    bundle_folder.describe(folder, manifest, NOTES + tables(compared))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
