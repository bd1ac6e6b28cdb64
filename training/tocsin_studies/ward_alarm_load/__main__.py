"""`python -m tocsin_studies.ward_alarm_load config/quiet-ward.yaml docs/alarm-load.md`: measures, writes the page."""

from __future__ import annotations

import argparse
from pathlib import Path

from tocsin_studies.ward_alarm_load.measure import measure
from tocsin_studies.ward_alarm_load.page import page

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tocsin_studies.ward_alarm_load", description="Measure the alarm load, and write its page."
    )
    parser.add_argument("configuration", type=Path, help="such as config/quiet-ward.yaml")
    parser.add_argument("page", type=Path, help="such as docs/alarm-load.md")
    given = parser.parse_args()
    given.page.write_text(page(measure(given.configuration)), encoding="utf-8")
