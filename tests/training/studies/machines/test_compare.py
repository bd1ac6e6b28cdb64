"""Fit on a slice of one server: figures, and equal scores of the exported graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("polars")

from tocsin.bundle.graph import Graph  # noqa: E402
from tocsin_studies.machines import compare, detector, recipes, servers, skab  # noqa: E402
from tocsin_studies.machines.measure import Counts, Ranked, at_false_alarm_rate, interval, ranked  # noqa: E402
from tocsin_studies.machines.page import servers_section, skab_section  # noqa: E402
from tocsin_training.backtest import rollout  # noqa: E402
from tocsin_training.export import onnx_graph  # noqa: E402

DATA = Path(__file__).parents[5] / "shared" / "data"
needs_records = pytest.mark.skipif(not (DATA / servers.FOLDER).exists(), reason="the records are not here")


@pytest.fixture(scope="module")
def slice_of_one():
    """1,200 rows to fit on, 300 test rows with one interval in which two channels are shifted."""
    torch.set_num_threads(1)
    server = next(server for server in servers.servers(DATA) if server.name == "omi-4")
    test = server.train[1200:1500].copy()
    test[200:230, [3, 8]] += 4 * server.train.std(axis=0)[[3, 8]]
    label = np.zeros(300, dtype=np.float32)
    label[200:230] = 1
    return replace(server, train=server.train[:1200], test=test, label=label, causes=(servers.Cause(200, 229, (3, 8)),))


@pytest.fixture(scope="module")
def fitted(slice_of_one):
    recipe = recipes.of_server(slice_of_one)
    recipe = recipe.model_copy(
        update={
            "network": recipe.network.model_copy(update={"width": 8}),
            "training": recipe.training.model_copy(update={"epochs": 5, "batch": 4}),
        }
    )
    return detector.fit(recipe, slice_of_one.fitted(), slice_of_one.held_out(), slice_of_one.normal())


@needs_records
def test_shifted_channels_are_detected_and_named(slice_of_one, fitted):
    contribution = fitted.contributions(slice_of_one.tested())[servers.RUN_IN :]
    found = ranked(contribution, slice_of_one.label, slice_of_one.causes)
    assert found.average_precision > 0.8
    assert found.causes >= 0.5


@needs_records
def test_the_exported_graph_gives_the_same_scores(slice_of_one, fitted):
    graph = Graph(onnx_graph.to_onnx(fitted.step))
    data = slice_of_one.stream(slice_of_one.test)
    stepped = rollout.scores(graph, fitted.step.state_size, data)
    assert np.isnan(stepped[0]), "there is no forecast for the first frame"
    whole = fitted.contributions(data).sum(axis=1)
    np.testing.assert_allclose(stepped[1:], whole[1:], rtol=2e-3, atol=1e-4)


def test_thresholds_are_compared_at_equal_false_alarm_rates():
    random = np.random.default_rng(0)
    label = (random.random(5000) < 0.3).astype(np.float32)
    score = random.standard_normal(5000) + label
    counts = at_false_alarm_rate(label, score, 0.2)
    assert counts.false_alarm_rate == pytest.approx(0.2, abs=0.01)
    assert counts.hit + counts.missed == label.sum()


def test_an_interval_holds_the_mean_and_narrows_with_more_machines():
    low, high = interval([0.1, 0.5, 0.3, 0.7])
    assert low < 0.4 < high
    narrow = interval([0.1, 0.5, 0.3, 0.7] * 16)
    assert narrow[1] - narrow[0] < 0.5 * (high - low)


def test_the_page_lists_the_means():
    rows = np.zeros((10, 19))
    server = servers.Server("omi-0", "ASD", rows, rows, np.ones(10, dtype=np.float32), ())
    found = {
        compare.NETWORK: [Ranked(0.25, 0.5, 0.6), Ranked(0.35, 0.5, 0.6)],
        compare.PCA_Q: [Ranked(0.2, 0.2, 0.6)],
        compare.PCA_T2: [Ranked(0.1, 0.2, 0.3)],
        compare.CHANCE: [Ranked(0.1, 0.1, 0.3)],
    }
    text = servers_section([server, server], [found, found])
    assert "| ASD, 2 machines | network, whitened | 0.300 (0.30 to 0.30) |" in text
    assert "| ASD | network over PCA, Q | +0.100 (+0.10 to +0.10) |" in text


def test_the_page_lists_rates_over_all_rows_and_over_rows_after_the_fitted_ones():
    silent = np.zeros(skab.FITTED)
    label = np.array([*silent, 0, 0, 0, 0, 1, 1], dtype=np.float32)
    scores = {
        compare.NETWORK: np.array([*silent, 0, 0, 0, 2, 2, 2]),
        compare.PCA_EITHER: np.array([*silent, 0, 2, 2, 0, 2, 0]),
    }
    whole, _, later = skab_section([compare.ExperimentScores(label, scores)]).partition("after the fitted")
    assert "| network, whitened, at its own limit | 0.800 | 0.2% | 0.0% |" in whole
    assert "| network, whitened, at its own limit | 0.800 | 25.0% | 0.0% |" in later
    assert f"| alarm in every row | {Counts(2, 4, 0, 0).f1:.3f} | 100.0% | 0.0% |" in later
