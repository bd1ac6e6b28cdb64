"""`python -m tocsin_studies.sensor_nab models/sensor/1`: prints the table of docs/sensor.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from tocsin.bundle.load import load
from tocsin_studies.sensor_nab import corpus, plots
from tocsin_studies.sensor_nab.baselines import BASELINES
from tocsin_studies.sensor_nab.measure import (
    QUIET,
    carried_forward,
    false_by_age,
    follows,
    measure,
    onset_scores,
    scores_of,
    simulated,
    table,
)
from tocsin_training.evaluation import nab


def main() -> None:
    """Measure a bundle and its rivals, print the table and draw the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tocsin_studies.sensor_nab", description=main.__doc__)
    parser.add_argument("bundle", type=Path, help="such as models/sensor/1")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where sensors/nab lies")
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of what was found, missed and false")
    arguments = parser.parse_args()

    bundle = load(arguments.bundle)
    series = corpus.read(arguments.data)
    values, truths = simulated()
    read = [follows(one) for one in series]
    scored = scores_of(bundle, [one.value[rows] for one, rows in zip(series, read, strict=True)])
    ours = [carried_forward(score, rows) for score, rows in zip(scored, read, strict=True)]
    reached = [measure(bundle.manifest.name, ours, series, scores_of(bundle, values), truths)]
    for name, baseline in BASELINES.items():
        theirs = [carried_forward(baseline(one.value[rows]), rows) for one, rows in zip(series, read, strict=True)]
        reached.append(measure(name, theirs, series, [baseline(value) for value in values], truths))
    print(table(reached))  # noqa: T201  (a program's answer)
    labels = [one.truth for one in series]
    own = nab.alarms_at(ours, labels, bundle.model.threshold, QUIET)
    once = onset_scores(ours, labels, bundle.model.threshold)
    print(f"row by row, once per alarm with its own threshold: {once.score:.1f}")  # noqa: T201
    for what, operation in (("best", reached[0].best), ("from simulations", reached[0].blind), ("its own", own)):
        print(  # noqa: T201
            f"threshold {operation.threshold:.4f} ({what}): {operation.score:.1f}, "
            f"{operation.found} found, {operation.false} false"
        )
    for (young, old), rate in false_by_age(bundle).items():
        print(f"alarms on simulated series without faults, ticks {young} to {old}: {rate:.2f} per 1,000")  # noqa: T201
    if arguments.pictures:
        plots.draw(arguments.pictures, series, ours, reached[0].best.threshold, QUIET)


if __name__ == "__main__":
    main()
