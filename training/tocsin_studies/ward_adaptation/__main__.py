"""`python -m tocsin_studies.ward_adaptation docs/adaptation.md`: measures and writes the tables of the page anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from tocsin.bundle import load, shipped_folder
from tocsin_studies.ward_adaptation.measure import found_table, ill, kept_table, methods, slowly_ill, well

BEGIN, END = "<!-- made by ward.adaptation -->\n", "<!-- to here -->\n"


def main(page: Path) -> None:
    """Measure, and write the tables of a page anew."""
    bundle = load(shipped_folder() / "ward-vitals" / "1")
    days = well(bundle)
    tried = methods(bundle, days)
    kept = kept_table(bundle, days, tried)
    found = found_table(bundle, [ill(bundle), slowly_ill(bundle)], tried)
    made = f"### Budgets\n\n{kept}\n\n### Detection of deterioration\n\n{found}\n"
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tocsin_studies.ward_adaptation", description=main.__doc__)
    parser.add_argument("page", type=Path, help="such as docs/adaptation.md")
    main(parser.parse_args().page)
