"""From a recipe to a bundle: data, training, calibration, export, the checks, the folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import expit

from tocsin.bundle.graph import Graph
from tocsin.bundle.manifest import Calibration, Manifest
from tocsin.bundle.start import Start
from tocsin.engine.model import ChannelKind, StepFunction, Task
from tocsin_training.backtest import rollout
from tocsin_training.calibration import classifier, false_alarm_curve, horizon_metrics, operating_point
from tocsin_training.data import summary
from tocsin_training.data.batches import in_order, padded
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError
from tocsin_training.export import onnx_graph, parity
from tocsin_training.export import step as steps
from tocsin_training.nets import tree_ensemble
from tocsin_training.scores import thresholds
from tocsin_training.train import checkpoints, distillation, loop, sufficiency

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import Sequences
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe

Tell = Callable[[int, loop.Epoch], None]
TOGETHER = 256  # streams of one batch that is only looked at
LEAST_SPREAD = 0.01  # of logits, whose rounding is some 1e-6


@dataclass(frozen=True, slots=True)
class Made:
    """What `make` gives: a manifest and the graphs it speaks of; `init` is what makes a state from a profile."""

    manifest: Manifest
    graph: bytes
    init: bytes | None = None


def make(
    recipe: Recipe,
    folder: Path,
    *,
    runs: Path,
    device: torch.device,
    resume: bool = False,
    tell: Tell = lambda _member, _epoch: None,
    say: Callable[[str], None] = lambda _line: None,
) -> Made:
    """Train, calibrate, export and check what a recipe describes.

    Args:
        recipe: What to make.
        folder: Where the records lie.
        runs: Where checkpoints go, in a folder by the recipe's name, version and seed.
        device: Where to train; the rest is done on the CPU, as in the daemon.
        resume: Go on from the checkpoints of a run that was cut off.
        tell: Called after every epoch of a member.
        say: Told what the records hold, before the training.
    """
    data, valid = (read(recipe, part, folder, runs) for part in ("train", "valid"))
    for streams in (data, valid):
        check(recipe, streams)
    for part, streams in (("train", data), ("valid", valid)):
        say(summary.told(part, streams, recipe.serving.period_s))
    sufficiency.check(recipe, data, valid)
    members, logit, seen = _members(recipe, data, valid, runs=runs, device=device, resume=resume, tell=tell)
    trees = None
    if recipe.beside is not None:
        trees, trees_say = tree_ensemble.grown(
            recipe, data, valid, folds(data, recipe.training.folds, recipe.training.seed)
        )
        logit = trees.joined(torch.from_numpy(logit), torch.from_numpy(trees_say)).numpy()
    step = steps.make(members, recipe, trees)
    if isinstance(step, steps.ForecastStep):
        step.weigh.fit(step.network, data, recipe.serving)
    if isinstance(step, steps.ClassifyStep):
        calibration, figures = classifier.calibrate(step, logit, seen, recipe.loss.burn_in)
    elif isinstance(step, steps.AlarmStep):
        calibration, figures = _calibrate_alarm(step, logit, seen, recipe.training.folds)
    serialised = onnx_graph.to_onnx(step)
    graph = Graph(serialised, recipe.task)
    parity.check(graph, step, members, recipe)
    init = None
    if recipe.task is Task.GENERATE:
        opening = steps.Opening(members[0], step)
        init = onnx_graph.opening_to_onnx(opening)
        parity.check_start(Start(init), opening, recipe)
    if not recipe.task.judges_by_probability:
        calibration, figures = _calibrate_forecast(graph, step, recipe, valid)
    if recipe.horizon is not None:
        ticks, levels = recipe.horizon.ticks, recipe.horizon.quantiles
        told = horizon_metrics.look(graph, step.state_size, valid, ticks, len(levels))
        figures |= horizon_metrics.figures(told, valid, levels)
    df = members[0].distribution.df()
    manifest = Manifest(
        name=recipe.name,
        version=recipe.version,
        task=recipe.task,
        cell=recipe.network.cell,
        summary=recipe.summary,
        channels=recipe.channels,
        period_s=recipe.serving.period_s,
        any_period=recipe.serving.any_period,
        horizon_s=recipe.serving.horizon_s,
        horizon_ticks=None if recipe.horizon is None else recipe.horizon.ticks,
        quantiles=None if recipe.horizon is None else recipe.horizon.quantiles,
        classes=recipe.classes,
        df=None if df is None else tuple(round(value, 4) for value in df.tolist()),
        profile=recipe.profile,
        state_size=step.state_size,
        warm_up_ticks=recipe.serving.warm_up_ticks,
        max_gap_ticks=recipe.serving.max_gap_ticks,
        delta_cap_s=recipe.serving.delta_cap_s,
        calibration=calibration,
        training=recipe.sources,
        figures=figures,
        sha256=hashlib.sha256(serialised).hexdigest(),
        init_sha256=None if init is None else hashlib.sha256(init).hexdigest(),
    )
    return Made(manifest, serialised, init)


def check(recipe: Recipe, data: Sequences) -> None:
    """Refuse records without what the task learns."""
    if recipe.task is Task.ALARM and (data.label is None or data.gain is None):
        raise TrainingError(
            f"data.source {recipe.data.source!r}: task alarm needs a label in every row: of a table say by `label` "
            "which column holds it; a source of your own gives label and gain in every Record"
        )
    _check_kinds(recipe, data)
    _check_profiles(recipe, data)


def _check_kinds(recipe: Recipe, data: Sequences) -> None:
    if recipe.classes is None:
        return
    if data.kind is None:
        raise TrainingError(f"data.source {recipe.data.source!r}: task classify needs kind in every Record")
    if not ((data.kind >= 0) & (data.kind < len(recipe.classes))).all():
        raise TrainingError(
            f"data.source {recipe.data.source!r}: kinds {data.kind.min()} to {data.kind.max()} for "
            f"{len(recipe.classes)} classes ({', '.join(recipe.classes)}); count them from 0"
        )


def _check_profiles(recipe: Recipe, data: Sequences) -> None:
    if recipe.profile is None:
        return
    static = np.array([channel.kind is ChannelKind.STATIC for channel in recipe.channels])
    known = (data.mask[data.start[:-1]][:, static] > 0).all(axis=1)
    if not known.all():
        raise TrainingError(
            f"data.source {recipe.data.source!r}: stream {data.streams[int(np.argmin(known))]!r} lacks a part of its "
            f"profile ({', '.join(recipe.profile)}); give all of it in the first row, or leave the stream out"
        )


def _members(
    recipe: Recipe,
    data: Sequences,
    valid: Sequences,
    *,
    runs: Path,
    device: torch.device,
    resume: bool,
    tell: Tell,
) -> tuple[list[Network], NDArray[np.float32], Sequences]:
    """Train; gives the members, and logits (R, …) of streams with none from a member that was fitted on the stream.

    With folds, each member is stopped on a fifth (say) of the training streams that it was not fitted on, and judges
    them; the validation streams, which no member has met, are judged by all together, as the graph will.
    """
    seed = recipe.training.seed
    folder = checkpoints.folder(runs, recipe)

    def fit(member: int, fitted: Sequences, held_out: Sequences) -> Network:
        return loop.train(
            recipe,
            fitted,
            held_out,
            folder / f"member-{member}.pt",
            seed=seed * 1000 + member,
            device=device,
            normalised=data,
            resume=resume,
            tell=lambda epoch: tell(member, epoch),
        )

    if not recipe.task.judges_by_probability:
        return [fit(0, data, valid)], np.zeros(0, dtype=np.float32), valid
    if recipe.training.folds == 1:
        network = fit(0, data, valid)
        return [network], logits(network, valid), valid
    fold = folds(data, recipe.training.folds, seed)
    if recipe.data.teacher:
        taught = distillation.taught(recipe, data, fold, folder / "teacher.npz", resume=resume)  # (K, R)
    members: list[Network] = []
    crossed = np.zeros(len(data.x), dtype=np.float32)
    for member in range(recipe.training.folds):
        held_out = np.flatnonzero(fold == member)
        learned = replace(data, teacher=taught[member]) if recipe.data.teacher else data
        network = fit(member, learned.pick(np.flatnonzero(fold != member)), learned.pick(held_out))
        crossed[data.rows(held_out)] = logits(network, data.pick(held_out))
        members.append(network)
    together = np.mean([logits(network, valid) for network in members], axis=0)
    return members, np.concatenate([crossed, together]), data.join(valid)


def folds(data: Sequences, count: int, seed: int) -> NDArray[np.int64]:
    """(B,) which fold each stream belongs to; streams with and without an event are dealt out apart."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(data), dtype=np.int64)
    for kind in (data.eventful, ~data.eventful):
        chosen = rng.permutation(np.flatnonzero(kind))
        fold[chosen] = np.arange(len(chosen)) % count
    return fold


@torch.no_grad()
def logits(network: Network, data: Sequences) -> NDArray[np.float32]:
    """(R,) the uncalibrated logit of every frame; `classify`: (R, K)."""
    out = np.zeros((len(data.x), *network.event.bias.shape[network.task is Task.ALARM :]), dtype=np.float32)
    for chosen in in_order(data.lengths, TOGETHER):
        batch = padded(data, chosen, torch.device("cpu"))
        said, _ = network(batch.x, batch.mask, batch.delta)
        out[data.rows(chosen)] = said.logit[batch.real > 0].numpy()
    return out


def _calibrate_alarm(
    step: steps.AlarmStep, logit: NDArray[np.float32], seen: Sequences, folds_made: int
) -> tuple[Calibration, dict[str, float]]:
    if seen.label is None or seen.gain is None:
        raise AssertionError  # `read` has refused such data
    _check_learned(logit)
    slope, offset = operating_point.platt(logit, seen.label)
    if slope <= 0:
        raise TrainingError(
            f"on streams that it was not fitted on, calibration would turn the network's answer round (slope "
            f"{slope:.3g}): it has learned too little of the event; train longer, raise training.learning_rate, or "
            "give more streams with events"
        )
    step.slope.fill_(slope)
    step.offset.fill_(offset)
    chance = expit(slope * logit + offset)
    threshold = operating_point.most_gain(chance, seen.gain)
    best = float(np.maximum(seen.gain, 0).sum())
    figures = {"held-out gain share": round(float(seen.gain[chance > threshold].sum()) / best, 4)}
    chosen_by = "most gain over validation streams"
    if folds_made > 1:
        chosen_by += ", and over training streams, each as judged by the member not fitted on it"
    return Calibration(scale="probability", threshold=threshold, chosen_by=chosen_by), figures


def _check_learned(logit: NDArray[np.float32]) -> None:
    """Calibration would make differences of what is next to rounding."""
    if np.ptp(logit) < LEAST_SPREAD:
        raise TrainingError(
            f"the network tells all frames the same: its logits lie between {logit.min():.6g} and {logit.max():.6g}; "
            "train longer, raise training.learning_rate, or lower training.weight_decay"
        )


def _calibrate_forecast(
    graph: StepFunction, step: StepModule, recipe: Recipe, valid: Sequences
) -> tuple[Calibration, dict[str, float]]:
    normal = false_alarm_curve.normal(valid)
    which = "validation streams"
    lasts = recipe.serving.warm_up_ticks + recipe.serving.on_delay_ticks
    if normal is not None and len(normal) < len(valid) and normal.lengths.max() > lasts:
        valid, which = normal, "normal validation streams"
    score = rollout.scores(graph, step.state_size, valid)
    for start in valid.start[:-1]:
        score[start : start + recipe.serving.warm_up_ticks] = np.nan
    budget = recipe.serving.false_alarms_per_day
    held = thresholds.lasting(score, valid.start, recipe.serving.on_delay_ticks)
    threshold = thresholds.few_alarms(held, valid, recipe.serving.period_s, budget)
    figures = {
        "validation score, median": round(float(np.nanmedian(score)), 4),
        "validation score, 99.9 %": round(float(np.nanquantile(score, 0.999)), 4),
    }
    days = len(score) * recipe.serving.period_s / thresholds.SECONDS_PER_DAY
    chosen_by = (
        f"at most {budget:g} onsets per stream-day that outlast {recipe.serving.on_delay_ticks} ticks, "
        f"over {days:.4g} days of {len(valid)} {which}"
    )
    return Calibration(scale="surprise", threshold=threshold, chosen_by=chosen_by), figures
