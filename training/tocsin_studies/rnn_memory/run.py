"""Run of an experiment: its figures as JSON, its picture, its table on the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch

from tocsin_studies.rnn_memory import catalogue
from tocsin_studies.rnn_memory.plots import style
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin_studies.rnn_memory.catalogue import Progress


def run(name: str, out: Path, page: Path | None, *, quick: bool, progress: Progress) -> str:
    """Measure, draw and write; returns the table.

    Args:
        name: Of the experiment.
        out: Folder of `NAME.json` and `NAME.svg`.
        page: Page whose table of this experiment is replaced, or None.
        quick: Seconds instead of minutes.
        progress: Called with progress messages.
    """
    module = catalogue.module(name)
    torch.set_num_threads(1)
    figures = module.measure(quick=quick, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(figures, separators=(",", ":")) + "\n", encoding="utf-8")
    with style():
        module.draw(figures, out / f"{name}.svg")
    table = module.table(figures)
    if page is not None:
        page.write_text(with_table(page.read_text(encoding="utf-8"), name, table), encoding="utf-8")
    return table


def with_table(page: str, name: str, table: str) -> str:
    r"""The page with the table between this experiment's marks.

    >>> print(with_table("<!-- adding -->\nold\n<!-- end -->", "adding", "new"))
    <!-- adding -->
    new
    <!-- end -->
    """
    before, mark, rest = page.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not mark or not end:
        raise TrainingError(f"the page has no place for {name!r}; put <!-- {name} --> and <!-- end --> into it")
    return f"{before}{mark}{table}\n{end}{after}"
