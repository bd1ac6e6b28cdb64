"""`docs/pressure-minute.md`: the results as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PAGE = """\
# Forecasts of pressure-minute

The bundle `models/pressure-minute/1` reads mean arterial pressure once a minute and forecasts the next hour: a
Student-t for each of the 60 minutes, and quantiles of the lowest and of the highest value in them. From those the
daemon's formula computes the probability that the pressure falls below a limit (`tocsin.engine.conditions.forecast`):

```python
falls_below(60.0, result.low, np.array(manifest.quantiles))  # P(the minimum of the next 60 minutes < 60 mmHg)
```

## Forecast of the next hour

The bundle was fitted on 48 records. The other {held_out} are forecast here, every 20 minutes from the second hour on
({origins:,} forecasts); the baselines were fitted on the same 48. The {held_out} also stopped the training, which
favours the bundle over its baselines. Lower is better but for the shares, which should be 90 %.

| | CRPS, mmHg | in 90 % band | of the minimum: CRPS, mmHg | in 90 % band | Brier score of < 60 mmHg |
|---|---|---|---|---|---|
{skill}

The CRPS is taken as twice the mean pinball loss of seven quantiles (5 to 95 %). *Persistence*: the last value stays,
with the errors it had on the other records. *Autoregression*: the next value is a weighted sum of the last ten, fitted
on the other records; {paths} futures are drawn from its errors. 95 % interval of the CRPS of pressure-minute less that
of the autoregression, by a bootstrap over records: {lead}; of the minimum: {lead_lowest}. A gain over an
autoregression is not shown.

![Forecasts of four records from minute 600 on](pressure-minute.png)

The figure has the first two of the {held_out} records, by name, that an episode follows, and the first two that none
follows. Grey: the recorded pressure. Shades: 50, 80 and 90 % of the forecast. The bar: quantiles of the minimum.

## Prediction of an episode

The challenge's question: from the 600 minutes of a record, will the hour after them contain an acute hypotensive
episode, 30 minutes in which at least 90 % of the values lie below 60 mmHg? 30 of the 60 records are followed by one.
Every row judges each record by a procedure that was fitted on the other records alone.

| | right, of 60 | 95 % interval | found, of 30 | false, of 30 | AUROC |
|---|---|---|---|---|---|
{judged}

Intervals by Clopper and Pearson. `pressure-episode` (`training/recipes/pressure-episode.yaml`, task
`classify`){networks} was fitted for each record on the others, without one more of the other class, so that the shares
of the classes carry no information. A record counts as followed by an episode if the probability exceeds one half, so
no threshold is chosen.

*Forecast of the next hour's level* (`training/tocsin_studies/pressure_minute/level_forecast.py`): a GRU that
forecasts, after every ten minutes of a record, the lowest level of the hour after them, as a normal; the level is the
lowest value that 90 % of some 30 minutes stay under, so an episode is a level below 60 mmHg. It learns from 49 hours a
record, not from one label. Records rank by the probability of a level below 60 mmHg after minute 600; the threshold on
it is the one that was right most often on the 59 records that the network was fitted on. Networks of several seeds
judge together; alone they get {seeds}. It is no task of the recipes, but has their cell, channel features and
likelihood; no bundle of it ships.

**The aim was 54 of 60, and it is {missed}. The forecast ranks the records slightly better than the median does; for a
yes or no the plain threshold on the median is ahead.** The classifier is worse than both: it separates pressures above
some 85 mmHg from those below and gives nearly all of the latter the same probability.

{limits}

Published, on the challenge's own test sets, which are not these records: 10 of 10 and 37 of 40 (the best of the
official entries), 32 of 40 (an autoregressive integrated moving average).

## Limitations

- The records are cases and controls: half of them are followed by an episode, on a ward few are. The figures compare
  procedures; they are no rate of alarms.
- The records' names contain the groups (`H…` are followed by an episode). The study uses names only to order the
  records. The lengths are equal. By the definition above, computed from the values in the file, 54 of the labels
  agree: six records with an episode by the challenge's label stay just short of it, at 60.0 to 72.5 mmHg. The figures
  use the challenge's label.
- Hardly a record has an episode within its history (two do), as the challenge chose them so. The signs before an
  episode can therefore be learned from the 30 cases alone.
- Mean pressure is the only channel: no heart rate, no drugs, no waveform. In four or so of the records the pressure
  falls from over 80 mmHg without any sign that distinguishes them from others.
- Sixty records are few. Two standard errors are 8 % of them, so neighbouring rows do not differ by more than chance.

Records: PhysioNet/Computing in Cardiology Challenge 2009, training set (MIMIC II), Open Data Commons Attribution
License. Moody GB, Lehman LH. Predicting Acute Hypotensive Episodes: The 10th Annual PhysioNet/Computers in Cardiology
Challenge. Computers in Cardiology 36:541-544, 2009.

Made by `tocsin train training/recipes/pressure-minute.yaml`, then `python -m tocsin_studies.pressure_minute`.
"""

AIM = 54  # of 60
TRIED = """\
The networks' shape was settled by ten-fold cross-validation on the same 60 records, over some twenty variants of a GRU
(readings alone; with summaries, trends, moving means and low water; 3 to 16 units; two lengths of a tick): they got 41
to 48. Single records were left out in five earlier procedures too. Three stopped each network on a part of the others
and were abandoned after 1, 7 and 31 records, one ran for 60 epochs and was abandoned after 2, and one ran for 16
epochs over all the records and got 41. The table has the sixth, of one seed; the variation between seeds was not
measured.

Some 140 statistics of the history were tried with a threshold, and 3,160 pairs of them in a logistic regression:
chosen on the same records, the best single one got 51 and the best pair 52. None of them reaches 54, and a figure that
reached it by choice among many procedures on these same records would mean little. The next hour of every moment was
tried as a training example too, 43 windows a record instead of one: eleven statistics of the last three hours, and the
level of the hour after them. Two ridge regressions of that got 42 and 43 of 60, nine logistic regressions of a fall
below 60, 63 or 66 mmHg 42 to 45 (AUROC 0.81 to 0.85): of the windows with a next hour that ends by minute 600, only
four are followed by an episode.

The classifier is behind a threshold on one number. A logistic regression on that number alone, with records left out
in the same pairs, gets 42 at one half, and 49 with the threshold that was best on the fitted records. So one half is a
poor threshold here. The 49 also depend on the two hours: medians of the last 30, 60, 90, 150, 180 and 240 minutes get
43 to 48 with such a threshold. Sketches of GRUs without the classifier's hidden layer got 41 to 47 at one half and 44
to 47 with a threshold, in four shuffles of ten folds, two seeds together (nine variants: one, two or six units, with
low water or a moving mean); two of them, with single records left out in pairs, 45 and 47 at one half, 46 and 49 with
a threshold.

The network on the hours of every moment was sketched next, in three shuffles of ten folds. Nine variants forecast the
level's distribution (a normal or a Student-t, with and without low water and summaries, with the label as a second
target or not, 3 to 6 units, 30 or 60 epochs): their probabilities got 43 to 49 with a threshold (AUROC 0.78 to 0.87),
their means 41 to 45, the label's own probability 43. Two classified by cross-entropy a fall of the level below 60
mmHg, and got 35 and 40. The one with the best AUROC was chosen. Its sketch, with single records left out, got 50, 48
and 46 with three seeds (AUROC 0.85 to 0.86). The table has that network written anew, fitted once for each of four
seeds. A `seq2seq` of the project's family on the same ten-minute ticks got 41 to 45 in ten folds (AUROC 0.77), by the
probabilities of its six steps or by its quantiles of the minimum; one variant, one seed. So the form of the forecast
was chosen on the same records, which is optimistic, as are the two hours of the median; only its weights and its
threshold come from other records alone."""


def interval(right: int, of: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper & Pearson 1934), as numbers out of `of`.

    >>> [round(bound, 1) for bound in interval(49, 60)]
    [41.7, 54.3]
    """
    found = stats.binomtest(right, of).proportion_ci(0.95, method="exact")
    return float(found.low * of), float(found.high * of)


def networks(right: Sequence[int]) -> str:
    """Number of networks averaged and the accuracy of each, as text; empty for one.

    >>> networks([46]), networks([46, 48])
    ('', ': 2 networks together; alone they get 46, 48. It')
    """
    if len(right) == 1:
        return ""
    return f": {len(right)} networks together; alone they get {', '.join(map(str, right))}. It"


def classified_row(
    name: str, predicted: NDArray[np.bool_], event: NDArray[np.bool_], score: NDArray[np.float64]
) -> str:
    """One row of the second table; `score` (B,) is higher where an episode is likelier."""
    right = int((predicted == event).sum())
    low, high = interval(right, len(event))
    found, false = int(predicted[event].sum()), int(predicted[~event].sum())
    return f"| {name} | {right} | {low:.0f} to {high:.0f} | {found} | {false} | {roc_auc_score(event, score):.2f} |"


def skill_row(name: str, figures: Mapping[str, float]) -> str:
    """One row of the first table."""
    return (
        f"| {name} | {figures['CRPS']:.2f} | {figures['in 90 %']:.1%} | {figures['CRPS of the minimum']:.2f} "
        f"| {figures['minimum in 90 %']:.1%} | {figures['Brier']:.3f} |"
    )


def lead(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> str:
    """The 95 % interval of a mean difference over records, by a bootstrap, as text."""
    differences = np.array(ours) - np.array(theirs)
    drawn = np.random.default_rng(seed).integers(0, len(differences), (2000, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return f"{low:+.2f} to {high:+.2f} mmHg"
