"""`python -m tocsin_studies.ward_lead models/ward-vitals/1 docs/ward-lead.md`: measures, writes page and figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from tocsin.bundle import load
from tocsin_studies.ward_lead.measure import NOTES, measure
from tocsin_studies.ward_lead.page import figures, page
from tocsin_training.export import bundle_folder


def main(folder: Path, report: Path) -> None:
    """Measure a bundle, write the page, and put the figures into the bundle's manifest and card."""
    bundle = load(folder)
    measured = measure(bundle.model)
    manifest = bundle.manifest.model_copy(update={"figures": bundle.manifest.figures | figures(measured)})
    bundle_folder.describe(folder, manifest, NOTES)
    report.write_text(page(measured), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tocsin_studies.ward_lead", description=main.__doc__)
    parser.add_argument("bundle", type=Path, help="such as models/ward-vitals/1")
    parser.add_argument("page", type=Path, help="such as docs/ward-lead.md")
    given = parser.parse_args()
    main(given.bundle, given.page)
