"""Whitened residuals: evidence of broken correlations, its attribution to channels, and its export."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from tocsin_training.data.dataset import StreamDataset, StreamRecord  # noqa: E402
from tocsin_training.errors import TrainingError  # noqa: E402
from tocsin_training.pipeline import read, train_bundle  # noqa: E402
from tocsin_training.recipe_file import read as read_recipe  # noqa: E402
from tocsin_training.scores.whitened import Whitened  # noqa: E402
from tocsin_training.tasks.registry import network_of  # noqa: E402

C = 4


@pytest.fixture
def score_module():
    """Channels 0, 1 and 2 are correlated; channel 3 is independent."""
    module = Whitened(C, 8.0, 1.0)
    together = 0.95 * torch.ones(C, C) + 0.05 * torch.eye(C)
    together[3, :3] = together[:3, 3] = 0.0
    module.precision.copy_(torch.linalg.inv(together))
    return module


def evidence(score_module, *z):
    found, _ = score_module(
        torch.tensor([z]), torch.ones(1, C), torch.zeros(1, C), torch.zeros(1, score_module.state_size)
    )
    return found[0]


def test_a_broken_correlation_outweighs_a_larger_common_move(score_module):
    assert evidence(score_module, 2.0, 0.0, 0.0, 0.0).sum() > 3 * evidence(score_module, 2.0, 2.0, 2.0, 0.0).sum()


def test_evidence_goes_to_the_deviating_channel_and_not_to_its_neighbours(score_module):
    found = evidence(score_module, 0.1, 2.0, 0.1, 0.1)
    assert found.argmax() == 1
    assert found[1] > 0.8 * found.sum()


def test_far_off_evidence_grows_linearly(score_module):
    once, tenfold = evidence(score_module, 0.0, 0.0, 0.0, 0.8).sum(), evidence(score_module, 0.0, 0.0, 0.0, 8.0).sum()
    near, nearer = evidence(score_module, 0.0, 0.0, 0.0, 0.2).sum(), evidence(score_module, 0.0, 0.0, 0.0, 0.1).sum()
    assert once < tenfold < 30 * once
    assert float(near) == pytest.approx(4 * float(nearer), rel=0.1)  # quadratic
    assert evidence(score_module, 0.0, 0.0, 0.0, 8e3).sum() == tenfold  # clipped


def test_one_channel_far_off_outranks_four_small_deviations(score_module):
    score_module.clip = 100.0
    assert evidence(score_module, 0.0, 0.0, 0.0, 30.0).sum() > evidence(score_module, 5.0, 5.0, 5.0, 5.0).sum()


def test_the_first_movement_of_a_constant_channel_adds_little_evidence(toy):
    recipe = read_recipe(toy(score="whitened"))
    torch.manual_seed(1)
    network = network_of(recipe).eval()
    rows = np.full((60, 5), 5.0)
    rows[:, :2] = np.random.default_rng(1).uniform(0, 4, (60, 2))  # the third is constant
    data = StreamDataset.of(recipe.channels, 60.0, 60.0, [StreamRecord("a", np.arange(60), rows)])
    stirred = torch.tensor([[0.0, 0.0, 0.1, 0.0, 0.0]])
    found = []
    for slack in (0.0, 0.1):
        module = Whitened(5, 100.0, 1.0, slack=slack)
        module.fit(network, data, recipe.serving)
        found.append(float(module.evidence(stirred, torch.ones(1, 5)).sum()))
    assert found[0] > 10 * found[1]


def test_a_missing_channel_adds_nothing(score_module):
    observed = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    found, _ = score_module(
        torch.full((1, C), 5.0), observed, torch.zeros(1, C), torch.zeros(1, score_module.state_size)
    )
    assert found[0, 3] == 0


def test_evidence_accumulates():
    score_module = Whitened(C, 8.0, 3.0)
    state, totals = torch.zeros(1, score_module.state_size), []
    for z in (2.0, 2.0, 0.0):
        found, state = score_module(torch.full((1, C), z), torch.ones(1, C), torch.zeros(1, C), state)
        totals.append(float(found.sum()))
    assert totals[0] < totals[1] > totals[2] > 0


def test_averaging_before_whitening_detects_small_lasting_deviations():
    torch.manual_seed(0)
    noise = torch.randn(4000, C)
    alarm_shares = []
    for first in (1.0, 15.0):
        score_module = Whitened(C, 8.0, 1.0, first)
        rows = [score_module.average(z, torch.ones_like(z), np.array([len(z)]))[100:] for z in (noise, noise + 0.7)]
        spread = rows[0].std(0)
        normal, shifted = (score_module.evidence(row / spread, torch.ones_like(row)).sum(1) for row in rows)
        alarm_shares.append((shifted > normal.quantile(0.99)).float().mean())
    assert alarm_shares[1] > 5 * alarm_shares[0]


def test_too_few_frames_are_refused(toy, tmp_path):
    recipe = read_recipe(toy(score="whitened", epochs=1))
    data = read(recipe, "train", tmp_path)
    few = data.pick(np.array([0]))
    with pytest.raises(TrainingError, match="are too few to estimate how 100 channels correlate"):
        Whitened(100, 8.0, 3.0).fit(network_of(recipe), few, recipe.serving)


def test_a_constant_spread_is_the_same_at_every_tick(toy):
    recipe = read_recipe(toy())
    torch.manual_seed(1)
    spreads = []
    for spread in ("learned", "constant"):
        network = network_of(
            recipe.model_copy(update={"network": recipe.network.model_copy(update={"forecast_scale": spread})})
        )
        torch.nn.init.normal_(network.head.forecast.weight)
        rows = torch.rand(2, 9, 5) * 200
        output, _ = network.eval()(rows, torch.ones(2, 9, 5), torch.zeros(2, 9, 5))
        spreads.append((output.scale.amax((0, 1)) - output.scale.amin((0, 1)))[:3])
    assert (spreads[0] > 0.01).all()
    assert (spreads[1] == 0).all()


def test_a_bundle_with_whitened_scores_passes_its_checks(toy, tmp_path, monkeypatch):
    """`train_bundle` compares graph and network step by step, and refuses a graph whose rows affect each other."""
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 60)
    recipe = read_recipe(toy(score="whitened", epochs=1))
    levels = recipe.network.model_copy(
        update={"forecast_target": "level", "deviation_epsilon": 0.01, "forecast_scale": "constant"}
    )
    recipe = recipe.model_copy(update={"network": levels})
    made = train_bundle(recipe, tmp_path, runs=tmp_path, device=torch.device("cpu"))
    assert made.manifest.figures["validation score, 99.9 %"] > made.manifest.figures["validation score, median"] > 0
