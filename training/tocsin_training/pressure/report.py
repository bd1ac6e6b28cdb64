"""Measure pressure-minute from outside, record by record: what `python -m tocsin_training.pressure` does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin.bundle import load
from tocsin.bundle.graph import Graph
from tocsin.engine.crossing import falls_below
from tocsin_training import make, publish
from tocsin_training import recipe as recipes
from tocsin_training.pressure import ahead, leave_one_out, page, picture, rivals, skill
from tocsin_training.pressure import records as reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.pressure.records import Pressure
    from tocsin_training.recipe import Recipe

HALF = 0.5
ORIGINS = len(skill.origins(reader.HISTORY + reader.WINDOW))  # of each record


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie: the bundle, its recipe and that of the networks that judge, the records, what is written."""

    bundle: Path
    minute: Path
    episode: Path
    data: Path
    runs: Path
    page: Path


def report(places: Places, say: Callable[[str], None]) -> dict[str, float]:
    """Measure, and write the page, its picture, and the bundle's figures; gives the figures."""
    began = time.process_time()
    torch.set_num_threads(1)
    records = reader.read(places.data)
    event = np.array([record.episode for record in records])
    history = np.stack([record.history for record in records])
    recipe = recipes.read(places.minute)
    channel = recipe.channels[0]
    values = [rivals.filled(record.values, channel.low, channel.high) for record in records]
    truth = np.concatenate([skill.came(record) for record in values])

    made = by_folds(recipe, values, event, places, say)
    chance = falls_below(skill.LIMIT, made["pressure-minute"].lowest[ORIGINS - 1 :: ORIGINS], skill.LEVELS)  # (B,)
    episode = recipes.read(places.episode)
    alone = leave_one_out.chances(
        episode, make.read(episode, "train", places.data, places.runs), places.runs, lambda b, p: say(f"{b + 1}: {p}")
    )
    together = alone.mean(axis=1)
    medians = np.median(history[:, -rivals.TWO_HOURS :], axis=1)
    said = {
        "pressure-episode": (together > HALF, together),
        "median of the last two hours, threshold": (rivals.beyond(-medians, event), -medians),
        "pressure-minute, P(minimum < 60 mmHg)": (rivals.beyond(chance, event), chance),
    }

    figures = {name: skill.figures(forecast, truth) for name, forecast in made.items()}
    scores = {name: skill.crps(forecast, truth) for name, forecast in made.items()}
    ours, theirs = (
        [score.reshape(-1, ORIGINS).mean(axis=1) for score in scores[name]]
        for name in ("pressure-minute", "autoregression")
    )
    right = int((said["pressure-episode"][0] == event).sum())
    members = ((alone > HALF) == event[:, None]).sum(axis=0).tolist()
    _picture(places.page.with_suffix(".png"), records, made["pressure-minute"], said["pressure-episode"][0], chance)
    places.page.write_text(
        page.PAGE.format(
            records=len(records),
            origins=len(truth),
            paths=rivals.PATHS,
            skill="\n".join(page.skill_row(name, figures[name]) for name in made),
            lead=page.lead(ours[0], theirs[0]),
            lead_lowest=page.lead(ours[1], theirs[1]),
            judged="\n".join(page.judged_row(name, one, event, score) for name, (one, score) in said.items()),
            members=", ".join(map(str, members[:-1])) + f" and {members[-1]}",
            missed="reached" if right >= page.AIM else "missed",
            limits=page.TRIED,
            minutes=(time.process_time() - began) / 60,
        ),
        encoding="utf-8",
    )
    told = {f"left out: {name}": round(value, 4) for name, value in figures["pressure-minute"].items()}
    told |= {f"left out: {name}, autoregression": round(value, 4) for name, value in figures["autoregression"].items()}
    told |= {"episodes judged right of 60, classify": right}
    manifest = load(places.bundle).manifest
    kept = {name: value for name, value in manifest.figures.items() if name not in told}
    publish.describe(places.bundle, manifest.model_copy(update={"figures": kept | told}))
    return told


def by_folds(
    recipe: Recipe,
    values: list[NDArray[np.float64]],
    event: NDArray[np.bool_],
    places: Places,
    say: Callable[[str], None],
) -> dict[str, skill.Forecasts]:
    """Each way's forecasts of all the records, each record by what has not met it."""
    fold = reader.folds(event)
    parts: dict[str, list[skill.Forecasts]] = {"pressure-minute": [], "autoregression": [], "persistence": []}
    held_out = [np.flatnonzero(fold == k) for k in range(reader.FOLDS)]
    for k, chosen in enumerate(held_out):
        without = recipe.model_copy(update={"data": recipe.data.model_copy(update={"options": {"left_out": k}})})
        made = make.make(without, places.data, runs=places.runs / f"left-out-{k}", device=torch.device("cpu"))
        graph = Graph(made.graph, made.manifest.task)
        test = make.read(without, "test", places.data, places.runs)
        parts["pressure-minute"].append(ahead.forecasts(graph, made.manifest, test))
        fitted, tested = ([values[b] for b in which] for which in (np.flatnonzero(fold != k), chosen))
        parts["autoregression"].append(rivals.autoregression(fitted, tested))
        parts["persistence"].append(rivals.persistence(fitted, tested))
        say(f"fold {k + 1} of {reader.FOLDS}")
    return {name: skill.Forecasts.put_back(forecasts, held_out) for name, forecasts in parts.items()}


def _picture(
    path: Path,
    records: list[Pressure],
    made: skill.Forecasts,
    said: NDArray[np.bool_],
    chance: NDArray[np.float64],
) -> None:
    """The first record, by name, for each way a judgement can end."""
    words = {(True, True): "found", (True, False): "missed", (False, True): "false", (False, False): "rightly silent"}
    shown: list[int] = []
    for wanted in words:
        ended = [b for b, record in enumerate(records) if (record.episode, bool(said[b])) == wanted]
        shown += ended[:1]
    last = np.array(shown) * ORIGINS + ORIGINS - 1  # the origin at minute 600
    titles = [
        f"{records[b].name}: {words[records[b].episode, bool(said[b])]}; P(minimum < 60) = {chance[b]:.2f}"
        for b in shown
    ]
    picture.fans(
        path,
        [(title, records[b]) for title, b in zip(titles, shown, strict=True)],
        made.ahead[last],
        made.lowest[last],
        skill.LIMIT,
    )
