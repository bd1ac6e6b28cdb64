"""Point adjustment is not used: it gives a random score a high F1.

Point adjustment counts all rows of an event as found once a single one of them is, before precision and recall are
taken by rows (Xu et al. 2018; against it Kim et al. 2022, AAAI, arXiv:2109.05257). It is here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from tocsin_training.evaluation import events

pl = pytest.importorskip("polars", reason="tables need polars")

SERVERS = Path(__file__).parents[3].parent / "shared" / "data" / "sensors" / "servers"


def best_f1(label, score):
    precision, recall, _ = precision_recall_curve(label, score)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))


def point_adjusted(label, score):
    """Point-adjusted scores: all rows of an event get its highest score."""
    found = events.of(label, np.array([0, len(label)]))
    adjusted = score.copy()
    for first, last in zip(found.first, found.last, strict=True):
        adjusted[first : last + 1] = score[first : last + 1].max()
    return adjusted


@pytest.mark.skipif(not SERVERS.exists(), reason=f"the records are not in {SERVERS}")
def test_a_random_score_gets_a_high_point_adjusted_f1_on_real_machines():
    plain, adjusted = [], []
    for path in sorted(SERVERS.glob("machine-*.parquet")):
        label = pl.read_parquet(path).filter(pl.col("part") == "test")["anomaly"].to_numpy().astype(float)
        for seed in range(5):
            score = np.random.default_rng(seed).random(len(label))
            plain.append(best_f1(label, score))
            adjusted.append(best_f1(label, point_adjusted(label, score)))
    assert len(plain) == 20, "four machines"
    assert round(float(np.mean(plain)), 2) == 0.11
    assert round(float(np.mean(adjusted)), 2) == 0.86, "as docs/evaluation.md says"
