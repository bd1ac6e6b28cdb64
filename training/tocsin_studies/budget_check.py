"""Check of false-alarm budgets: thresholds from a bundle's curve, scores from the daemon's engine, other streams.

    python -m tocsin_studies.budget_check docs/calibration.md models/ward-vitals/1 check models/icu-hourly/1 test

The part behind each bundle is of the data source of its recipe; none of it may have been calibrated on. The tables go
into the page between the two marks.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from tocsin.bundle import load
from tocsin.bundle.calibration import BudgetError
from tocsin_training import recipe_file
from tocsin_training.calibration import false_alarm_curve
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin.bundle.calibration import ChosenThreshold

BUDGETS = (0.1, 0.5, 2.0)
RESAMPLED = 2000
BEGIN, END = "<!-- made by budget_check -->\n", "<!-- to here -->\n"


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """One budget of one alarm.

    Attributes:
        budget: Onsets per stream-day.
        delays: On- and off-delay, ticks.
        chosen: The threshold from the curve.
        onsets: (B,) observed, by stream.
        days: (B,) of each stream.
    """

    budget: float
    delays: tuple[int, int]
    chosen: ChosenThreshold
    onsets: NDArray[np.int64]
    days: NDArray[np.float64]

    @property
    def expected(self) -> float:
        """Number of onsets at exactly the budget."""
        return self.budget * float(self.days.sum())

    @property
    def ratio(self) -> float:
        """Observed rate divided by the budget."""
        return float(self.onsets.sum()) / self.expected

    def interval(self) -> tuple[float, float]:
        """The ratio's 95 % interval, by a bootstrap over streams."""
        rng = np.random.default_rng(0)
        drawn = rng.integers(len(self.days), size=(RESAMPLED, len(self.days)))
        ratios = self.onsets[drawn].sum(axis=1) / (self.budget * self.days[drawn].sum(axis=1))
        low, high = np.quantile(ratios, [0.025, 0.975])
        return float(low), float(high)


def check(
    bundle: Bundle, backtested: false_alarm_curve.EngineScores, budgets: Sequence[float] = BUDGETS
) -> list[BudgetResult]:
    """Count onsets at every budget and every pair of delays of the curve.

    Args:
        bundle: With a curve.
        backtested: The engine's scores of other normal streams.
        budgets: Onsets per stream-day.

    Raises:
        TrainingError: The bundle has no curve.
    """
    known = bundle.manifest.calibration.curve
    if known is None:
        raise TrainingError(f"{bundle.folder} has no curve; `python -m tocsin_training.recalibrate` makes one")
    results = []
    for rates, budget in itertools.product(known.rates, budgets):
        delays = (rates.on_delay_ticks, rates.off_delay_ticks)
        try:
            chosen = known.threshold_at(budget, *delays)
        except BudgetError as error:
            typer.echo(f"{bundle.manifest.name}: delays {delays}: {error}", err=True)
            continue
        rises, _ = false_alarm_curve.alarm_intervals(backtested, chosen.threshold, *delays)
        onsets = np.histogram(rises, bins=backtested.start)[0]
        results.append(BudgetResult(budget, delays, chosen, onsets, backtested.days_of_each))
    return results


def table(bundle: Bundle, results: Sequence[BudgetResult], part: str) -> str:
    """Results as a Markdown table."""
    known = bundle.manifest.calibration.curve
    if known is None:
        raise AssertionError  # `check` has refused it
    days, streams = float(results[0].days.sum()), len(results[0].days)
    stands_on = (
        f"Curve from {known.stream_days:.4g} stream-days of {known.streams} streams ({known.data}); checked on "
        f"{days:.4g} stream-days of {streams} other normal streams (part {part}). Graph "
        f"`{bundle.manifest.sha256[:12]}`."
    )
    lines = [
        f"### {bundle.manifest.name}/{bundle.manifest.version}",
        "",
        stands_on,
        "",
        "| on-, off-delay, ticks | budget | threshold | from | expected | realised | realised / budget | 95 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in results:
        low, high = entry.interval()
        lines.append(
            f"| {entry.delays[0]}, {entry.delays[1]} | {entry.budget:g} | {entry.chosen.threshold:.4g} "
            f"| {'tail' if entry.chosen.extrapolated else 'counted'} | {entry.expected:.1f} | {entry.onsets.sum()} "
            f"| {entry.ratio:.2f} | {low:.2f} to {high:.2f} |"
        )
    enough = [entry for entry in results if entry.expected >= false_alarm_curve.COUNTED]
    within = sum(0.5 <= entry.ratio <= 2.0 for entry in enough)  # noqa: PLR2004  (a factor of 2)
    lines += [
        "",
        f"Within a factor of 2: {within} of {len(enough)} with at least {false_alarm_curve.COUNTED} expected.",
    ]
    return "\n".join(lines) + "\n"


def main(
    page: Annotated[Path, typer.Argument(help="Whose tables are written anew.")],
    bundles: Annotated[list[str], typer.Argument(help="Folder and part, by turns.")],
    data: Annotated[Path, typer.Option(help="Where the records lie.")] = Path("../shared/data"),
    runs: Annotated[Path, typer.Option(help="Where converted tables go.")] = Path("runs"),
) -> None:
    """Check whether budgets of false alarms are kept, and write the tables of a page."""
    tables = []
    for folder, part in zip(bundles[::2], bundles[1::2], strict=True):
        bundle = load(Path(folder))
        streams = false_alarm_curve.normal_streams(
            read(recipe_file.read(Path(folder) / "recipe.yaml"), part, data, runs)
        )
        if streams is None:
            raise TrainingError(f"{folder}: part {part} has no stream without labels; name another part")
        tables.append(table(bundle, check(bundle, false_alarm_curve.engine_scores(bundle.model, streams)), part))
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(before + BEGIN + "\n" + "\n".join(tables) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
