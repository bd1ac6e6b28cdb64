"""`python -m tocsin_studies.pressure_minute`: measure pressure-minute, and write docs/pressure-minute.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tocsin_studies.pressure_minute.report import StudyPaths, report
from tocsin_training.errors import TrainingError


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(prog="python -m tocsin_studies.pressure_minute", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/pressure-minute/1"))
    parser.add_argument("--recipes", type=Path, default=Path("training/recipes"), help="where the two recipes lie")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the records lie")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where checkpoints go")
    parser.add_argument("--page", type=Path, default=Path("docs/pressure-minute.md"))
    given = parser.parse_args()
    paths = StudyPaths(
        bundle=given.bundle,
        minute=given.recipes / "pressure-minute.yaml",
        episode=given.recipes / "pressure-episode.yaml",
        data=given.data,
        runs=given.runs,
        page=given.page,
    )
    try:
        figures = report(paths, lambda line: print(line, flush=True))  # noqa: T201  (progress, for a long command)
    except TrainingError as error:
        sys.exit(f"error: {error}")
    for name, value in figures.items():
        print(f"{name}: {value:g}")  # noqa: T201  (what a command says)


if __name__ == "__main__":
    main()
