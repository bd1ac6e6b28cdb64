"""`python -m tocsin_studies.machines`: fit, compare, and write `docs/machines.md` with its pictures."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from rich.console import Console

from tocsin_studies.machines import compare, page, plots, servers, skab
from tocsin_studies.machines.drift import NormalDrift


def main() -> None:
    """Measure all machines."""
    parser = argparse.ArgumentParser(prog="python -m tocsin_studies.machines", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the records lie")
    parser.add_argument("--out", type=Path, default=Path("docs/machines.md"), help="the page")
    parser.add_argument("--seeds", type=int, default=1, help="networks a server, whose figures are averaged")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(stderr=True)
    began = time.process_time()

    drift = NormalDrift.learn(skab.pretended(chosen.data))
    scored = []
    for experiment in skab.experiments(chosen.data):
        scored.append(compare.compare_experiment(experiment, drift))
        console.print(f"skab {experiment.name}")
    table = page.skab_section(scored)
    console.print(table)

    every = servers.servers(chosen.data)
    found = []
    for server in every:
        found.append(compare.compare_server(server, chosen.seeds))
        console.print(f"{server.name} {found[-1].ranked[compare.NETWORK]}")
    figures = page.servers_section(every, [one.ranked for one in found])
    console.print(figures)

    causes = page.causes_of_all([one.ranked for one in found])
    chosen.out.write_text(page.page(figures, causes, table, time.process_time() - began), encoding="utf-8")
    plots.draw(chosen.out.parent, every, [one.scores for one in found], scored)


if __name__ == "__main__":
    main()
