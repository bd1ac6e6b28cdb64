"""Warm-up: ticks until a past that the model never saw makes no difference.

A stream is stepped from its beginning, and again from a zero state at a cut in its middle, as after a reset. The two
scores converge. They agree once they differ by less than the uncertainty of the threshold: the threshold rests on n
counted onsets with a Poisson error of √n, and half of the distance between the thresholds at n - √n and n + √n onsets
is the calibration's noise.

The result is a figure in the manifest beside `warm_up_ticks`: a model that compares a patient with the last hours
agrees with itself only after hours, and is useful much earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.bundle import load
from tocsin_training.backtest import rollout
from tocsin_training.errors import TrainingError
from tocsin_training.export import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin.bundle.manifest import Manifest
    from tocsin_training.data.dataset import StreamDataset

SHARES = (0.5, 0.9, 0.99)
"""Of the pairs, that agree."""

_ESTIMATE_STREAMS, _ESTIMATE_TICKS, _ESTIMATE_CUTS = 16, 900, 2
_UNKNOWN = np.inf
_FIGURE = "ticks until "


@dataclass(frozen=True, slots=True)
class WarmUpEstimate:
    """Result of a measurement.

    Attributes:
        ticks: Share of pairs → frames after which that share agrees for good; None if it never does.
        noise: Largest difference at which a pair agrees.
        differs: Share of pairs → (K,) difference that this share does not exceed, by frame.
        cuts: Number of pairs.
        looked: K, frames observed.
    """

    ticks: dict[float, int | None]
    noise: float
    differs: dict[float, NDArray[np.float64]]
    cuts: int
    looked: int

    @property
    def figures(self) -> dict[str, float]:
        """Figures for a manifest; a share that never agrees is given as at least K."""
        return {
            f"{_FIGURE}{share:.0%} of pasts agree" + (", at least" if ticks is None else ""): float(
                self.looked if ticks is None else ticks
            )
            for share, ticks in self.ticks.items()
        }


def noise(manifest: Manifest) -> float:
    """Uncertainty of the threshold from the Poisson error of the counted onsets.

    Raises:
        TrainingError: The manifest has no curve.
    """
    curve = manifest.calibration.curve
    if curve is None:
        raise TrainingError(f"{manifest.name}: no curve of false alarms; recalibrate it first")
    rates = curve.rates[0]
    # The rarest rate that was counted, and not taken from a tail, is the one that is known least.
    counted = rates.rarest if rates.tail is None else rates.tail.per_day
    doubt = 1.0 / np.sqrt(counted * curve.stream_days)
    return abs(rates.threshold_at(counted * (1 - doubt)) - rates.threshold_at(counted * (1 + doubt))) / 2.0


def measure(bundle: Bundle, streams: StreamDataset, *, ticks: int, cuts: int) -> WarmUpEstimate:
    """Step streams with and without their pasts.

    Args:
        bundle: With a curve.
        streams: Normal streams; those shorter than 2 K frames are left out.
        ticks: K, frames observed after a cut.
        cuts: Number of cuts in each stream, evenly spaced.

    Raises:
        TrainingError: No stream is long enough.
    """
    model, within = bundle.model, noise(bundle.manifest)
    enough = np.flatnonzero(streams.lengths >= 2 * ticks)
    if not len(enough):
        raise TrainingError(f"no stream has {2 * ticks} frames; give longer ones, or look for fewer ticks")
    long = streams.pick(enough)
    whole = rollout.scores(model.step, model.state_size, long)
    starts = [
        int(cut)
        for begin, end in zip(long.start[:-1], long.start[1:], strict=True)
        for cut in np.unique(np.linspace(begin + ticks, end - ticks, cuts).astype(np.int64))
    ]
    rows = (np.array(starts)[:, None] + np.arange(ticks)).ravel()  # cut by cut
    again = rollout.scores(model.step, model.state_size, _from(long, rows, len(starts), model.period_ns / 1e9))
    difference = np.abs(again - whole[rows]).reshape(len(starts), ticks)
    difference[np.isnan(difference)] = 0.0  # nothing was observed, in both: the frames are the same
    difference[:, 0] = _UNKNOWN  # there is no score yet
    differs = {share: np.quantile(difference, share, axis=0, method="higher") for share in SHARES}
    needed = {share: _settled(differs[share] > within) for share in SHARES}
    return WarmUpEstimate(needed, float(within), differs, len(starts), ticks)


def estimate(folder: Path, streams: StreamDataset) -> None:
    """Measure a few cuts in a few streams, and write the result, unless the manifest has one.

    At most 900 ticks are observed, or half a stream. Very short streams are not measured.

    Args:
        folder: Of a bundle with a curve.
        streams: Normal streams.
    """
    bundle = load(folder)
    ticks = min(_ESTIMATE_TICKS, int(np.median(streams.lengths)) // 2)
    if ticks > 1 and not any(name.startswith(_FIGURE) for name in bundle.manifest.figures):
        some = streams.pick(np.flatnonzero(streams.lengths >= 2 * ticks)[:_ESTIMATE_STREAMS])
        write(folder, measure(bundle, some, ticks=ticks, cuts=_ESTIMATE_CUTS))


def _settled(apart: NDArray[np.bool_]) -> int | None:
    """Frame from which on none of (K,) is apart; None if the last is."""
    last = int(np.flatnonzero(apart)[-1])  # the first always is
    return None if last + 1 == len(apart) else last + 1


def _from(streams: StreamDataset, rows: NDArray[np.int64], cuts: int, period_s: float) -> StreamDataset:
    """The same frames as streams of their own, without a past."""
    tick = streams.tick[rows].reshape(cuts, -1)
    since_s = ((tick - tick[:, :1]) * period_s).ravel()[:, None]
    return replace(
        streams,
        streams=tuple(f"cut-{k}" for k in range(cuts)),
        start=np.arange(cuts + 1) * tick.shape[1],
        tick=tick.ravel(),
        x=streams.x[rows],
        mask=streams.mask[rows],
        delta=np.minimum(streams.delta[rows], since_s).astype(np.float32),
        label=None,
        gain=None,
        teacher=None,
        kind=None,
    )


def write(folder: Path, measured: WarmUpEstimate) -> None:
    """Write a result into a bundle's manifest and card."""
    manifest = load(folder).manifest
    kept = {name: value for name, value in manifest.figures.items() if not name.startswith(_FIGURE)}
    bundle_folder.describe(folder, manifest.model_copy(update={"figures": kept | measured.figures}))
