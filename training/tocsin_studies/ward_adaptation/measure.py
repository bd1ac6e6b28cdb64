"""Budgets in patients unlike those trained on, and detection of deteriorations, with and without adaptation.

    python -m tocsin_studies.ward_adaptation docs/adaptation.md

The shipped bundle's own graph scores whole days of simulated patients through the daemon's engine, once; alarms are
then computed for every method by the daemon's own conditions. The tables go into the page between the two marks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.config.conditions.drift import DriftEntry
from tocsin.config.schema import Adapt
from tocsin.engine import Alarm
from tocsin.engine.conditions.adaptation import HIGH
from tocsin.engine.conditions.drift import Drift
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, Priority
from tocsin.runtime.build import build_adaptation
from tocsin_studies.ward_adaptation.baselines import Conformal, Quotient
from tocsin_studies.ward_adaptation.out_of_distribution import out_of_distribution_profile, scores
from tocsin_studies.ward_adaptation.rethreshold import judged
from tocsin_training.errors import TrainingError
from tocsin_training.simulation.ward.episodes import DETERIORATIONS, EpisodeKind, draw
from tocsin_training.simulation.ward.physiology import Profile
from tocsin_training.simulation.ward.simulator import Ward

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin.engine.conditions.adaptation import Adaptation
    from tocsin_studies.ward_adaptation.rethreshold import AdaptationRule, Rejudgement
    from tocsin_training.simulation.ward.episodes import Episode

NS_PER_S = 1_000_000_000
BUDGETS = (0.1, 0.5, 2.0)
COMPARED = 0.5
ON_DELAY_S, OFF_DELAY_S = 10.0, 60.0
BEDS, HOURS = 200, 24
ILL, ILL_HOURS = 100, 14  # of either kind of patient
SLOW, SLOW_HOURS, SLOWER = 25, 24, 3.0
ONSET_H = 8
FASTER = 10.0
RESAMPLED = 2000
SEEDS = (21_000_000, 22_000_000, 23_000_000, 24_000_000, 25_000_000, 26_000_000)
"""Seeds of normal days, ill patients and slow sepsis, each in and out of distribution; nothing was chosen on these."""


@dataclass(frozen=True, slots=True)
class Patients:
    """Streams of two kinds: in distribution, and out of distribution; as many of each.

    Attributes:
        score: (T, 2 B) of the engine.
        episodes: (2 B) episodes of each; may be empty.
        kinds: (2 B) names of the episodes.
    """

    score: NDArray[np.float32]
    episodes: Sequence[Episode]
    kinds: Sequence[str]


def well(bundle: Bundle, beds: int = BEDS, hours: int = HOURS) -> Patients:
    """Days without deterioration."""
    wards = [
        Ward(seed + bed, 1, hour=24.0 * bed / beds, profile=profile)
        for seed, profile in zip(SEEDS[:2], (Profile.draw, out_of_distribution_profile), strict=True)
        for bed in range(beds)
    ]
    return Patients(scores(bundle.model, wards, hours), [], [])


def ill(bundle: Bundle, patients: int = ILL, hours: int = ILL_HOURS) -> Patients:
    """One deterioration each, after eight hours, a quarter of each of four kinds."""
    return _befallen(bundle, SEEDS[2:4], patients, hours, lambda number, rng: _drawn(DETERIORATIONS[number % 4], rng))


def slowly_ill(bundle: Bundle, patients: int = SLOW, hours: int = SLOW_HOURS) -> Patients:
    """Sepsis that takes three times as long."""

    def drawn(_: int, rng: np.random.Generator) -> Episode:
        episode = _drawn(EpisodeKind.SEPSIS, rng)
        return replace(episode, ramp_s=SLOWER * episode.ramp_s)

    made = _befallen(bundle, SEEDS[4:], patients, hours, drawn)
    return replace(made, kinds=[f"sepsis, {SLOWER:g} times as slow"] * len(made.episodes))


def _drawn(kind: EpisodeKind, rng: np.random.Generator) -> Episode:
    return draw(kind, "ward/bed-1", ONSET_H * 3600, rng)


def _befallen(
    bundle: Bundle,
    seeds: Sequence[int],
    patients: int,
    hours: int,
    drawn: Callable[[int, np.random.Generator], Episode],
) -> Patients:
    wards, episodes = [], []
    for seed, profile in zip(seeds, (Profile.draw, out_of_distribution_profile), strict=True):
        for number in range(patients):
            episode = drawn(number, np.random.default_rng(seed + number))
            episodes.append(episode)
            wards.append(Ward(seed + number, 1, hour=float(number % 24), script=(episode,), profile=profile))
    return Patients(scores(bundle.model, wards, hours), episodes, [str(episode.kind) for episode in episodes])


@dataclass(frozen=True, slots=True)
class Method:
    """One method of adaptation.

    Attributes:
        name: In tables.
        adaptation: The engine's, or None.
        rule: Makes a baseline's rule for a number of streams.
        drift: Whether drift alarms count too.
    """

    name: str
    adaptation: Adaptation | None = None
    rule: Callable[[int], AdaptationRule] | None = None
    drift: bool = False


def methods(bundle: Bundle, seen: Patients) -> list[Method]:
    """Methods that are compared."""
    like = build_adaptation(Adapt(), bundle)
    if like is None:
        raise TrainingError(
            f"{bundle.folder} has no score statistics; make them with python -m tocsin_training.recalibrate"
        )
    threshold = bundle.threshold_at(COMPARED, ON_DELAY_S, OFF_DELAY_S).threshold
    typical = seen.score[:, : seen.score.shape[1] // 2]
    share = float(np.mean(typical[np.isfinite(typical)] >= threshold))
    faster = replace(like, step=FASTER * like.step)

    def conformal(step: float, *, freezes: bool) -> Callable[[int], AdaptationRule]:
        return lambda streams: Conformal(threshold, share, step, like.max_ratio, streams, freezes=freezes)

    return [
        Method("not adapted"),
        Method("adapted", like),
        Method("adapted, with drift", like, drift=True),
        Method(f"adapted {FASTER:g} times as fast", faster),
        Method(f"adapted {FASTER:g} times as fast, with drift", faster, drift=True),
        Method("by one quantile", rule=lambda streams: Quotient(like, HIGH, streams)),
        Method("conformal, step 0.01", rule=conformal(0.01, freezes=False)),
        Method("conformal, step 0.1", rule=conformal(0.1, freezes=False)),
        Method("conformal, step 0.1, frozen while up", rule=conformal(0.1, freezes=True)),
    ]


def alarm_rows(bundle: Bundle, patients: Patients, method: Method, budget: float) -> Rejudgement:
    """Alarms of patients by one method."""
    chosen = bundle.threshold_at(budget, ON_DELAY_S, OFF_DELAY_S)
    alarms = [_alarm("odd", ScoreAbove(chosen.threshold), ON_DELAY_S, OFF_DELAY_S)]
    if method.drift:
        alarms.append(_alarm("drift", creeping(bundle), 0.0, 0.0))
    rule = None if method.rule is None else method.rule(patients.score.shape[1])
    return judged(bundle.model, alarms, patients.score, method.adaptation, rule)


def creeping(bundle: Bundle) -> Drift:
    """Drift condition with the configuration's defaults."""
    curve, asked = bundle.manifest.calibration.curve, DriftEntry()
    if curve is None or curve.score_statistics is None:
        raise AssertionError  # `ways` has refused it
    return Drift(curve.score_statistics.log_std, asked.slack, asked.limit, round(asked.settle_s * NS_PER_S))


def _alarm(name: str, condition: ScoreAbove | Drift, on_delay_s: float, off_delay_s: float) -> Alarm:
    delays = round(on_delay_s * NS_PER_S), round(off_delay_s * NS_PER_S)
    return Alarm(name, condition, Priority.HIGH, Category.PHYSIOLOGICAL, *delays)


def kept_table(bundle: Bundle, seen: Patients, tried: Sequence[Method]) -> str:
    """Markdown table of budgets and observed rates."""
    ticks, streams = seen.score.shape
    beds, days = streams // 2, ticks / 86_400
    what = (
        f"{beds} beds of each kind for {days * 24:g} hours, on-delay {ON_DELAY_S:g} s, off-delay {OFF_DELAY_S:g} s. "
        "In brackets 95 % by resampling beds; *active*: the\nshare of time out of distribution."
    )
    lines = [
        what,
        "",
        "| | budget | in distribution: onsets a bed and day | by budget | out of distribution | by budget | active |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in tried:
        for budget in BUDGETS if method.name in ("not adapted", "adapted") else (COMPARED,):
            course = alarm_rows(bundle, seen, method, budget)
            onsets = np.sum([[len(began) for began in of] for of in course.began.values()], axis=0)  # (N,)
            cells = []
            for part in (onsets[:beds], onsets[beds:]):
                rate = part.mean() / days
                low, high = _interval(part / days)
                cells += [f"{rate:.2f} ({low:.2f} to {high:.2f})", f"{rate / budget:.2f}"]
            up = course.up.max(axis=0)[beds:].mean() / ticks
            lines.append(f"| {method.name} | {budget:g} | {' | '.join(cells)} | {up:.1%} |")
    return "\n".join(lines)


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(RESAMPLED, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def found_table(bundle: Bundle, groups: Sequence[Patients], tried: Sequence[Method]) -> str:
    """Markdown table of the share of deteriorations detected between onset and relief, by kind, and the delay."""
    kinds = list(dict.fromkeys(kind for group in groups for kind in group.kinds))
    head = [f"| | | {' | '.join(kinds)} |", "|---|---|" + "---|" * len(kinds)]
    lines = []
    for method in tried:
        courses = [alarm_rows(bundle, group, method, COMPARED) for group in groups]
        for who, strange in (("in distribution", False), ("out of distribution", True)):
            cells = []
            for kind in kinds:
                waits = [
                    wait
                    for group, course in zip(groups, courses, strict=True)
                    for wait in _waits(group, course, kind, strange=strange)
                ]
                found = [wait for wait in waits if wait is not None]
                median = f", {np.median(found):.0f} s" if found else ""
                cells.append(f"{len(found)} of {len(waits)}{median}")
            lines.append(f"| {method.name} | {who} | {' | '.join(cells)} |")
    return "\n".join([*head, *lines])


def _waits(group: Patients, course: Rejudgement, kind: str, *, strange: bool) -> list[int | None]:
    """Seconds from each onset of a kind to the first alarm that rose before treatment took effect."""
    half = len(group.kinds) // 2
    waits: list[int | None] = []
    for stream in range(half, 2 * half) if strange else range(half):
        if group.kinds[stream] != kind:
            continue
        episode = group.episodes[stream]
        rises = sorted(tick for of in course.began.values() for tick in of[stream])
        after = [tick - episode.onset_s for tick in rises if episode.onset_s <= tick < episode.relief_s]
        waits.append(after[0] if after else None)
    return waits
