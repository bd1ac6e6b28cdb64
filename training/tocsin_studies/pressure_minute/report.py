"""Report of pressure-minute and of the classification of records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin.bundle import load
from tocsin.engine.conditions.forecast import falls_below
from tocsin_studies.pressure_minute import (
    baselines,
    bundle_forecasts,
    leave_one_out,
    level_forecast,
    page,
    plot,
    skill,
)
from tocsin_training import recipe_file
from tocsin_training.bundles.pressure_minute import records as reader
from tocsin_training.data import sources
from tocsin_training.export import bundle_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin_training.bundles.pressure_minute.records import Pressure
    from tocsin_training.data.dataset import StreamDataset

HALF = 0.5
SEEDS = range(1, 5)  # of the networks that forecast the next hour's level
ORIGINS = len(skill.origins(reader.HISTORY + reader.WINDOW))  # of each record


@dataclass(frozen=True, slots=True)
class StudyPaths:
    """Paths of the bundle, its recipe and that of the classifiers, the records, and the output."""

    bundle: Path
    minute: Path
    episode: Path
    data: Path
    runs: Path
    page: Path


def report(paths: StudyPaths, progress: Callable[[str], None]) -> dict[str, float]:
    """Measure, and write the page, its figure, and the bundle's figures; returns the figures."""
    torch.set_num_threads(1)
    records = reader.read(paths.data)
    event = np.array([record.episode for record in records])
    bundle = load(paths.bundle)
    recipe = recipe_file.read(paths.minute)
    held_out = sources.read(recipe, "valid", paths.data, paths.runs)
    made, truth = by_baselines(bundle, records, held_out)

    episode = recipe_file.read(paths.episode)
    histories = sources.read(episode, "train", paths.data, paths.runs)
    channel = episode.channels[0]
    level = np.stack(
        [level_forecast.levels(baselines.filled(record.values, channel.low, channel.high)) for record in records]
    )
    *each, forecast = level_forecast.left_out(
        histories, level, event, SEEDS, lambda seed: progress(f"levels, seed {seed}")
    )
    alone = leave_one_out.probabilities(
        episode,
        histories,
        paths.runs,
        lambda member, b, p: progress(f"network {member + 1}, without {records[b].name}: {p:.2f}"),
    )
    together = alone.mean(axis=1)
    medians = np.median([record.history[-baselines.TWO_HOURS :] for record in records], axis=1)
    classified = {
        "pressure-episode": (together > HALF, together),
        "forecast of the next hour's level, threshold": forecast,
        "median of the last two hours, threshold": (baselines.beyond(-medians, event), -medians),
    }

    figures = {name: skill.figures(forecast, truth) for name, forecast in made.items()}
    ours, theirs = (
        [score.reshape(-1, ORIGINS).mean(axis=1) for score in skill.crps(made[name], truth)]
        for name in ("pressure-minute", "autoregression")
    )
    right = {name: int((one == event).sum()) for name, (one, _) in classified.items()}
    chosen = [record for record in records if record.name in held_out.streams]
    _picture(paths.page.with_suffix(".png"), chosen, made["pressure-minute"])
    paths.page.write_text(
        page.PAGE.format(
            held_out=len(held_out),
            origins=len(truth),
            paths=baselines.PATHS,
            skill="\n".join(page.skill_row(name, figures[name]) for name in made),
            lead=page.lead(ours[0], theirs[0]),
            lead_lowest=page.lead(ours[1], theirs[1]),
            judged="\n".join(page.classified_row(name, one, event, score) for name, (one, score) in classified.items()),
            seeds=", ".join(str(int((one == event).sum())) for one, _ in each),
            networks=page.networks(((alone > HALF) == event[:, None]).sum(axis=0).tolist()),
            missed="reached" if max(right.values()) >= page.AIM else "missed",
            limits=page.TRIED,
        ),
        encoding="utf-8",
    )
    measured = {f"held-out {name}": round(value, 4) for name, value in figures["pressure-minute"].items()}
    measured |= {
        f"held-out {name}, autoregression": round(value, 4) for name, value in figures["autoregression"].items()
    }
    others = {name: value for name, value in bundle.manifest.figures.items() if name not in measured}
    bundle_folder.describe(paths.bundle, bundle.manifest.model_copy(update={"figures": others | measured}))
    return measured | {f"judged right, of 60, {name}": count for name, count in right.items()}


def by_baselines(
    bundle: Bundle, records: list[Pressure], held_out: StreamDataset
) -> tuple[dict[str, skill.Forecasts], NDArray[np.float64]]:
    """Each baseline's forecasts of the held-out records, and the observed values (O, 60)."""
    channel = bundle.manifest.channels[0]
    values = {record.name: baselines.filled(record.values, channel.low, channel.high) for record in records}
    tested = [values[name] for name in held_out.streams]
    fitted = [one for name, one in values.items() if name not in held_out.streams]
    made = {
        "pressure-minute": bundle_forecasts.forecasts(bundle.model.step, bundle.manifest, held_out),
        "autoregression": baselines.autoregression(fitted, tested),
        "persistence": baselines.persistence(fitted, tested),
    }
    return made, np.concatenate([skill.observed(one) for one in tested])


def _picture(path: Path, records: list[Pressure], made: skill.Forecasts) -> None:
    """First two records, by name, that an episode follows, and the first two that none follows."""
    chosen = [b for kind in (True, False) for b in [b for b, one in enumerate(records) if one.episode is kind][:2]]
    last = np.array(chosen) * ORIGINS + ORIGINS - 1  # the origin at minute 600
    probability = falls_below(skill.LIMIT, made.lowest[last], skill.LEVELS)
    words = {True: "an episode follows", False: "none follows"}
    titles = [
        f"{records[b].name}: {words[records[b].episode]}; P(minimum < 60 mmHg) = {p:.2f}"
        for b, p in zip(chosen, probability.tolist(), strict=True)
    ]
    plot.fans(
        path,
        [(title, records[b]) for title, b in zip(titles, chosen, strict=True)],
        made.ahead[last],
        made.lowest[last],
        skill.LIMIT,
    )
