"""Report of a bundle on the test stays: `python -m tocsin_studies.icu_hourly models/icu-hourly/1`.

Writes the figures into the bundle's manifest and card, and the page `docs/icu-hourly.md`. The stays of the part
`test` are read here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle import load
from tocsin_studies.icu_hourly import compare
from tocsin_training.backtest import rollout
from tocsin_training.bundles.icu_hourly import boosting as teacher
from tocsin_training.bundles.icu_hourly import records
from tocsin_training.data.dataset import DataRequest, StreamDataset
from tocsin_training.errors import TrainingError
from tocsin_training.evaluation.baselines import boosting as gradient_boosting
from tocsin_training.export import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.bundle import Bundle

PAGE = """\
# Sepsis prediction of icu-hourly

The bundle `models/{name}/{version}` predicts sepsis from hourly records. It was measured on {stays} stays of the part
`test` ({septic} with sepsis), which were used for nothing else; the graph was run hour after hour as the daemon runs
it. Utility is that of the PhysioNet/CinC Challenge 2019: 0 is no alarm at all, 1 the maximum.

| | AUROC | AUPRC | utility |
|---|---|---|---|
{rows}

95 % intervals by a bootstrap over stays ({replicates} replicates): AUROC {auroc}, utility {utility}. Lead over
gradient boosting on the same stays, paired: AUROC {auroc_lead}, utility {utility_lead}; over its teacher: AUROC
{teacher_auroc_lead}, utility {teacher_utility_lead}.

At the threshold {threshold:g} its alarm is active in {alarms:.1%} of the hours. It is raised before the onset of
sepsis in {found:.0%} of the septic stays, and at least once in {false:.0%} of the others.

**Gradient boosting** was fitted in the same run, on the part `train`, its threshold chosen on `valid`. Its features
are the last values, running means and minima, changes and counts of every reading, age, sex, unit, hours in hospital
and in intensive care. **The teacher** is gradient boosting too, fitted and given its threshold in the same way,
weighted by the gain of an alarm in each row. Its features are more: of every reading its age, spread and extremes, of
vital signs means, extremes and slopes over 6, 12 and 24 hours, of laboratory values the number of orders, and bedside
scores (NEWS2, parts of SOFA, SIRS, shock index and others). **The networks** have none of these features: they learn
from hourly frames the probabilities of teachers that were fitted on other stays of `train`. Each was stopped on a
fifth of `train` that neither it nor its teachers were fitted on. **The trees** in the graph are like the teacher's,
with features of the history that the stream's state holds: an ensemble for each of those fifths, grown without it; the
recipe has the weight of their logit. The threshold was chosen on `valid`, which all members judge together, and on
those fifths.

Limitations: the records end soon after the onset of sepsis, so later hours are unknown. All stays are of one hospital.
Its habits of measuring are part of what was learned: a hospital that measures more or less often is judged by them.
The bundle is no medical device.

Records: PhysioNet/Computing in Cardiology Challenge 2019, training set B, CC BY 4.0. Reyna et al., Critical Care
Medicine 48(2):210-217, 2020.

Made by `tocsin train training/recipes/icu-hourly.yaml`, then `python -m tocsin_studies.icu_hourly
models/icu-hourly/1`. The row without the clock needs a bundle of the same recipe without the channels `hours` and
`hospital_hours`, given by `--without`.
"""


TRIED = "\n## Experiments"  # from here on the page is written by hand


def report(folder: Path, data: Path, without: Path | None, page: Path) -> dict[str, float]:
    """Measure the bundle in `folder` and write the results; returns the figures."""
    bundle = load(folder)
    train, valid, test = (part(bundle, data, name) for name in ("train", "valid", "test"))
    ours = measured(bundle, test)
    boosting = compare.StayScores(*gradient_boosting.scores(train, valid, test), ours.label, ours.start)
    taught = compare.StayScores(*teacher.scores(train, valid, test), ours.label, ours.start)
    intervals = compare.bootstrap(ours, boosting)
    over_teacher = compare.bootstrap(ours, taught)
    intervals |= {f"teacher {name}": over_teacher[name] for name in ("utility lead", "AUROC lead")}
    table = {"icu-hourly": ours.figures()}
    if without:
        plain = load(without)
        table["the same without `hours` and `hospital_hours`"] = measured(plain, part(plain, data, "test")).figures()
    table["gradient boosting"] = boosting.figures()
    table["its teacher: gradient boosting with the history"] = taught.figures()

    figures = {f"test {name}": value for name, value in table["icu-hourly"].items()}
    for name, (low, high) in intervals.items():
        figures |= {f"test {name}, 2.5 %": low, f"test {name}, 97.5 %": high}
    figures |= {f"test {name}, gradient boosting": value for name, value in table["gradient boosting"].items()}
    held_out = {name: value for name, value in bundle.manifest.figures.items() if not name.startswith("test ")}
    figures = held_out | {name: round(value, 4) for name, value in figures.items()}
    bundle_folder.describe(folder, bundle.manifest.model_copy(update={"figures": figures}))
    tried = page.read_text(encoding="utf-8").partition(TRIED)[2] if page.exists() else ""
    page.write_text(_page(bundle, ours, table, intervals) + (TRIED + tried if tried else ""), encoding="utf-8")
    return figures


def part(bundle: Bundle, data: Path, name: str) -> StreamDataset:
    """One part of the stays, as frames for the bundle."""
    manifest = bundle.manifest
    return records.stays(
        DataRequest(name, data, manifest.channels, manifest.period_s, manifest.delta_cap_s, seed=0, options={})
    )


def measured(bundle: Bundle, test: StreamDataset) -> compare.StayScores:
    """The bundle's scores by hour."""
    if test.label is None:
        raise TrainingError("the test stays have no labels; give the whole records")
    score = rollout.scores(bundle.model.step, bundle.model.state_size, test)
    return compare.StayScores(score, bundle.model.threshold, test.label, test.start)


def _page(
    bundle: Bundle,
    ours: compare.StayScores,
    table: dict[str, dict[str, float]],
    intervals: dict[str, tuple[float, float]],
) -> str:
    septic = found = false = 0
    alarming = ours.alarming
    for a, b in zip(ours.start[:-1], ours.start[1:], strict=True):
        label = ours.label[a:b]
        if label.any():
            septic += 1
            found += bool(alarming[a:b][: int(label.argmax()) + 6].any())
        else:
            false += bool(alarming[a:b].any())
    stays = len(ours.start) - 1
    spans = {name.replace(" ", "_").lower(): f"{low:.3f} to {high:.3f}" for name, (low, high) in intervals.items()}
    return PAGE.format(
        name=bundle.manifest.name,
        version=bundle.manifest.version,
        stays=f"{stays:,}",
        septic=septic,
        rows="\n".join(
            f"| {name} | {row['AUROC']:.3f} | {row['AUPRC']:.3f} | {row['utility']:.3f} |"
            for name, row in table.items()
        ),
        replicates=f"{compare.REPLICATES:,}",
        **spans,
        threshold=ours.threshold,
        alarms=alarming.mean(),
        found=found / septic,
        false=false / (stays - septic),
    )
