"""`python -m tocsin_studies.icu_hourly models/icu-hourly/1`: measures the bundle on the test stays."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tocsin_studies.icu_hourly.report import report
from tocsin_training.errors import TrainingError


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tocsin_studies.icu_hourly", description="Measure an ICU bundle on the test stays."
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the records lie")
    parser.add_argument("--without", type=Path, help="a bundle trained without `hours` and `hospital_hours`")
    parser.add_argument("--page", type=Path, default=Path("docs/icu-hourly.md"))
    given = parser.parse_args()
    try:
        figures = report(given.bundle, given.data, given.without, given.page)
    except TrainingError as error:
        sys.exit(f"error: {error}")
    for name, value in figures.items():
        print(f"{name}: {value:g}")  # noqa: T201  (what a command says)


if __name__ == "__main__":
    main()
