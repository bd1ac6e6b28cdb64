"""How long does a model warm up? Until a past that it never saw makes no difference that counts.

python -m tocsin_training.calibration.warm_up models/ward-vitals/1

A stream is stepped from its beginning, and once more from a state of zeros at some cut in its midst, as after a reset.
The two scores differ, and agree more and more. They agree well enough when they differ by less than the threshold is
known: it stands on n counted onsets, of which a Poisson count leaves √n in doubt, and the curve says which thresholds
n − √n and n + √n onsets would have given. Half of what lies between is the calibration's noise.

What comes out is a figure in the manifest, beside the `warm_up_ticks` that its makers chose: a model that compares a
patient with his own last hours agrees with itself only after hours, and is of use much earlier.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from tocsin.bundle import load
from tocsin_training import recipe as recipes
from tocsin_training.backtest import rollout
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError
from tocsin_training.export import bundle_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin.bundle.manifest import Manifest
    from tocsin_training.data.dataset import Sequences

SHARES = (0.5, 0.9, 0.99)
"""Of the pairs, that agree."""

_GLANCE_STREAMS, _GLANCE_TICKS, _GLANCE_CUTS = 16, 900, 2
_UNKNOWN = np.inf
_FIGURE = "ticks until "


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What was measured.

    Attributes:
        ticks: By share of the pairs, after how many frames so many agree, and go on to; None if they never did.
        noise: They agree if they differ by no more.
        differs: By share, (K,) by how much so many pairs differ at most, by frame.
        cuts: How many pairs there were.
        looked: K, for how many frames it was looked.
    """

    ticks: dict[float, int | None]
    noise: float
    differs: dict[float, NDArray[np.float64]]
    cuts: int
    looked: int

    @property
    def figures(self) -> dict[str, float]:
        """As a manifest has them; where pairs never agreed, for how long it was looked."""
        return {
            f"{_FIGURE}{share:.0%} of pasts agree" + (", at least" if ticks is None else ""): float(
                self.looked if ticks is None else ticks
            )
            for share, ticks in self.ticks.items()
        }


def noise(manifest: Manifest) -> float:
    """By how much the threshold would differ, had chance counted some onsets more or less.

    Raises:
        TrainingError: There is no curve to tell.
    """
    curve = manifest.calibration.curve
    if curve is None:
        raise TrainingError(f"{manifest.name}: no curve of false alarms; recalibrate it first")
    rates = curve.rates[0]
    # The rarest rate that was counted, and not taken from a tail, is the one that is known least.
    counted = rates.rarest if rates.tail is None else rates.tail.per_day
    doubt = 1.0 / np.sqrt(counted * curve.stream_days)
    return abs(rates.threshold_at(counted * (1 - doubt)) - rates.threshold_at(counted * (1 + doubt))) / 2.0


def measure(bundle: Bundle, streams: Sequences, *, ticks: int, cuts: int) -> WarmUp:
    """Step streams with and without their pasts.

    Args:
        bundle: Whose model.
        streams: Normal ones; those of less than twice as many frames as `ticks` say nothing.
        ticks: K, how long it is looked after a cut.
        cuts: So many in each stream, evenly from the first that has a past of K frames.

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
    return WarmUp(needed, float(within), differs, len(starts), ticks)


def glance(folder: Path, streams: Sequences) -> None:
    """Measure at a small price what was not measured yet, and write it down: two cuts in each of sixteen streams.

    It is looked for 900 ticks, or for half of a stream where they are shorter. A model that needs longer says so, and
    `measure` may be asked for more. Where streams are of a few frames nothing is measured.

    Args:
        folder: The bundle's; it has a curve.
        streams: Normal ones.
    """
    bundle = load(folder)
    ticks = min(_GLANCE_TICKS, int(np.median(streams.lengths)) // 2)
    if ticks > 1 and not any(name.startswith(_FIGURE) for name in bundle.manifest.figures):
        some = streams.pick(np.flatnonzero(streams.lengths >= 2 * ticks)[:_GLANCE_STREAMS])
        write(folder, measure(bundle, some, ticks=ticks, cuts=_GLANCE_CUTS))


def _settled(apart: NDArray[np.bool_]) -> int | None:
    """From which of the frames (K,) on none is apart any more."""
    last = int(np.flatnonzero(apart)[-1])  # the first always is
    return None if last + 1 == len(apart) else last + 1


def _from(streams: Sequences, rows: NDArray[np.int64], cuts: int, period_s: float) -> Sequences:
    """The same frames as streams of their own: nothing was observed before the first."""
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


def write(folder: Path, measured: WarmUp) -> None:
    """Put what was measured into a bundle's manifest and card; the graph stays."""
    manifest = load(folder).manifest
    kept = {name: value for name, value in manifest.figures.items() if not name.startswith(_FIGURE)}
    bundle_folder.describe(folder, manifest.model_copy(update={"figures": kept | measured.figures}))


def main(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Such as models/ward-vitals/1.")],
    data: Annotated[Path, typer.Option(help="Where the records lie.")] = Path("../shared/data"),
    runs: Annotated[Path, typer.Option(help="Where converted tables go.")] = Path("runs"),
    part: Annotated[str, typer.Option(help="Of the recipe's data.")] = "test",
    ticks: Annotated[int, typer.Option(min=2, help="How long it is looked after a cut.")] = 900,
    cuts: Annotated[int, typer.Option(min=1, help="In each stream.")] = 8,
    *,
    into: Annotated[bool, typer.Option("--write", help="Put it into the manifest.")] = False,
) -> None:
    """Measure how long a model warms up."""
    try:
        measured = measure(
            load(bundle), read(recipes.read(bundle / "recipe.yaml"), part, data, runs), ticks=ticks, cuts=cuts
        )
    except TrainingError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(2)
    typer.echo(f"{measured.cuts} pairs; they agree if they differ by no more than {measured.noise:.4g}")
    for share, needed in measured.ticks.items():
        within = f"after {needed} ticks" if needed is not None else f"not within {ticks} ticks"
        typer.echo(f"{share:.0%} of them agree {within}; at the end they differ by {measured.differs[share][-1]:.4g}")
    if into:
        write(bundle, measured)


if __name__ == "__main__":
    typer.run(main)
