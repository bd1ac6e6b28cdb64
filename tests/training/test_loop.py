"""The training loop: the same seed gives the same weights, and so does a run that was cut off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tocsin_training import loop
from tocsin_training import recipe as recipes
from tocsin_training.batches import in_order, padded, shuffled
from tocsin_training.errors import TrainingError
from tocsin_training.make import read
from tocsin_training.network import Network

CPU = torch.device("cpu")


class CutOff(Exception):  # noqa: N818  (it is no error)
    pass


@pytest.mark.parametrize("changes", [{"bptt": 8}, {"task": "alarm", "cell": "lstm"}], ids=["truncated", "full"])
def test_a_resumed_run_equals_an_uninterrupted_one(toy, tmp_path, changes):
    recipe = recipes.read(toy(epochs=4, **changes))
    data, valid = (read(recipe, part, tmp_path) for part in ("train", "valid"))
    whole = loop.train(recipe, data, valid, tmp_path / "whole.pt", seed=1, device=CPU)

    def cut_off(epoch, *_losses):
        if epoch == 2:
            raise CutOff

    with pytest.raises(CutOff):
        loop.train(recipe, data, valid, tmp_path / "cut.pt", seed=1, device=CPU, tell=cut_off)
    resumed = loop.train(recipe, data, valid, tmp_path / "cut.pt", seed=1, device=CPU, resume=True)

    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_a_checkpoint_of_another_seed_is_refused(toy, tmp_path):
    recipe = recipes.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)
    loop.train(recipe, data, data, tmp_path / "toy.pt", seed=1, device=CPU)
    with pytest.raises(TrainingError, match="another recipe or seed than toy with seed 2"):
        loop.train(recipe, data, data, tmp_path / "toy.pt", seed=2, device=CPU, resume=True)


def test_padding_reaches_no_frame(toy, tmp_path):
    recipe = recipes.read(toy(task="alarm"))
    data = read(recipe, "train", tmp_path)
    network = Network(recipe).eval()
    network.memory.fit(data.x, data.mask)
    shortest, longest = np.argmin(data.lengths), np.argmax(data.lengths)
    alone, beside = (padded(data, np.array(chosen), CPU) for chosen in ([shortest], [shortest, longest]))
    with torch.no_grad():
        said_alone, _ = network(alone.x, alone.mask, alone.delta)
        said_beside, _ = network(beside.x, beside.mask, beside.delta)
    ticks = data.lengths[shortest]
    torch.testing.assert_close(said_beside.logit[:1, :ticks], said_alone.logit, rtol=1e-4, atol=1e-5)
    assert beside.real[0, ticks:].sum() == 0


def test_windows_carry_the_state(toy, tmp_path):
    recipe = recipes.read(toy())
    data = read(recipe, "train", tmp_path)
    network = Network(recipe).eval()
    batch = padded(data, np.arange(4), CPU)
    with torch.no_grad():
        whole, _ = network(batch.x, batch.mask, batch.delta)
        state, means = None, []
        for window in batch.windows(7):
            said, state = network(window.x, window.mask, window.delta, state)
            means.append(said.mean)
    pieces = torch.cat(means, dim=1)
    torch.testing.assert_close(pieces, whole.mean[:, : pieces.shape[1]], rtol=1e-4, atol=1e-5)


def test_every_stream_is_in_one_batch():
    lengths = np.random.default_rng(0).integers(5, 90, 101)
    for batches in (shuffled(lengths, 8, np.random.default_rng(1)), in_order(lengths, 8)):
        assert sorted(np.concatenate(batches).tolist()) == list(range(101))


def test_a_loss_that_is_no_number_stops_the_run(toy, tmp_path):
    recipe = recipes.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)
    broken = replace(data, x=np.full_like(data.x, np.nan))
    with pytest.raises(TrainingError, match=r"validation loss of epoch 1 is nan; lower training\.learning_rate"):
        loop.train(recipe, broken, broken, tmp_path / "toy.pt", seed=1, device=CPU)
