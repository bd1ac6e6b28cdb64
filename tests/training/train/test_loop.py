"""Training loop: reproducibility, resumption, checkpoints, windows and precision."""

from __future__ import annotations

import struct
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import walk

from tocsin_training import recipe_file
from tocsin_training.data.batches import in_order, padded, shuffled, windows
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError
from tocsin_training.tasks.registry import network_of, task_of
from tocsin_training.train import loop, tensorboard
from tocsin_training.train.device import product_dtype

CPU = torch.device("cpu")


class CutOff(Exception):  # noqa: N818  (it is no error)
    pass


@pytest.mark.parametrize(
    "changes",
    [{"bptt": 8}, {"task": "alarm", "cell": "lstm"}, {"bptt": 8, "precision": "mixed"}],
    ids=["truncated", "full", "mixed"],
)
def test_a_resumed_run_equals_an_uninterrupted_one(toy, tmp_path, changes):
    recipe = recipe_file.read(toy(epochs=4, **changes))
    data, valid = (read(recipe, part, tmp_path) for part in ("train", "valid"))
    whole = loop.train(task_of(recipe), recipe, data, valid, tmp_path / "whole.pt", seed=1, device=CPU)

    def cut_off(epoch):
        if epoch.number == 2:
            raise CutOff

    with pytest.raises(CutOff):
        loop.train(task_of(recipe), recipe, data, valid, tmp_path / "cut.pt", seed=1, device=CPU, on_epoch=cut_off)
    resumed = loop.train(task_of(recipe), recipe, data, valid, tmp_path / "cut.pt", seed=1, device=CPU, resume=True)

    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_a_checkpoint_of_another_recipe_or_member_is_refused(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)
    kept = tmp_path / "toy.pt"
    loop.train(task_of(recipe), recipe, data, data, kept, seed=1, device=CPU)
    with pytest.raises(TrainingError, match=r"toy\.pt: of another member of toy, or another seed; train without"):
        loop.train(task_of(recipe), recipe, data, data, kept, seed=2, device=CPU, resume=True)
    first, *others = recipe.channels
    other = recipe.model_copy(
        update={
            "channels": (first.model_copy(update={"high": 300.0}), *others),
            "network": recipe.network.model_copy(update={"width": 9}),
            "training": recipe.training.model_copy(update={"learning_rate": 0.5}),
        }
    )
    message = (
        r"toy\.pt: made by another recipe toy, in which channels\.0\.high was 200\.0 and is 300\.0; "
        r"network\.width was 8 and is 9; training\.learning_rate was 0\.\d+ and is 0\.5; train without --resume"
    )
    with pytest.raises(TrainingError, match=message):
        loop.train(task_of(other), other, data, data, kept, seed=1, device=CPU, resume=True)


def test_a_run_resumes_when_only_the_recipe_s_summary_changed(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)
    network = loop.train(task_of(recipe), recipe, data, data, tmp_path / "toy.pt", seed=1, device=CPU)
    other = recipe.model_copy(update={"summary": "Another."})
    resumed = loop.train(
        task_of(other), other, data, data, tmp_path / "toy.pt", seed=1, device=CPU, resume=True, on_epoch=pytest.fail
    )
    assert all(torch.equal(weights, resumed.state_dict()[name]) for name, weights in network.state_dict().items())


def test_a_checkpoint_of_other_records_is_refused(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=1))
    data, valid = (read(recipe, part, tmp_path) for part in ("train", "valid"))
    loop.train(task_of(recipe), recipe, data, valid, tmp_path / "toy.pt", seed=1, device=CPU)
    x = data.x.copy()
    x[7, 1] += 1
    for others in ((replace(data, x=x), valid), (data, data)):
        with pytest.raises(TrainingError, match=r"toy\.pt: made on other records than those that toy:read gives now"):
            loop.train(task_of(recipe), recipe, *others, tmp_path / "toy.pt", seed=1, device=CPU, resume=True)


def test_a_network_that_got_worse_in_training_is_refused(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=3))
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"learning_rate": 30.0})})
    data, valid = (read(recipe, part, tmp_path) for part in ("train", "valid"))
    message = r"toy: training made it worse: the validation loss was .* lower training.learning_rate \(30\.0\)"
    with pytest.raises(TrainingError, match=message):
        loop.train(task_of(recipe), recipe, data, valid, tmp_path / "toy.pt", seed=1, device=CPU)


def test_an_unreadable_checkpoint_is_refused(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)
    kept = tmp_path / "toy.pt"
    loop.train(task_of(recipe), recipe, data, data, kept, seed=1, device=CPU)
    whole, content = kept.read_bytes(), torch.load(kept, weights_only=True)
    at = whole.index(content["best"]["channel_features.deviation"].numpy().tobytes())
    other = content["best"] | {"channel_features.mean": torch.zeros(2)}
    faults = (
        ("its recipe has other keys", content | {"recipe": '{"name": "toy"}'}),
        ("it lacks 'untrained'", {name: value for name, value in content.items() if name != "untrained"}),
        ("Error(s) in loading state_dict for Network", content | {"network": {}}),
        ("Error(s) in loading state_dict for Network", content | {"best": other}),
        ("list indices must be integers or slices, not str", [1, 2]),
        ("something else is in it", Path("here")),
        ("File is not a zip file", b""),
        ("is not what was written", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]),
    )
    for message, instead in faults:
        if isinstance(instead, bytes):
            kept.write_bytes(instead)
        else:
            torch.save(instead, kept)
        with pytest.raises(TrainingError, match=r"toy\.pt cannot be read \(.*another version .*train without") as fault:
            loop.train(task_of(recipe), recipe, data, data, kept, seed=1, device=CPU, resume=True)
        assert message in str(fault.value)


def test_a_network_with_an_initial_loss_of_nan_is_refused(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)
    kept = tmp_path / "toy.pt"
    loop.train(task_of(recipe), recipe, data, data, kept, seed=1, device=CPU)
    torch.save(torch.load(kept, weights_only=True) | {"untrained": float("nan")}, kept)
    with pytest.raises(TrainingError, match="training made it worse: the validation loss was nan before"):
        loop.train(task_of(recipe), recipe, data, data, kept, seed=1, device=CPU, resume=True)


@pytest.mark.parametrize(
    ("fitted", "stopped", "message"), [(1, 40, "to fit on"), (40, 1, "to stop on"), (40, 0, "to stop")]
)
def test_streams_of_a_single_frame_are_refused(toy, tmp_path, fitted, stopped, message):
    recipe = recipe_file.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)

    def first(ticks):
        records = [StreamRecord("s", np.arange(ticks), np.full((ticks, 5), 50.0))] if ticks else []
        return StreamDataset.of(recipe.channels, 60, 3600, records) if records else data.pick(np.arange(0))

    with pytest.raises(TrainingError, match=rf"toy: none of the \d streams {message} .*has two frames; give longer"):
        loop.train(task_of(recipe), recipe, first(fitted), first(stopped), tmp_path / "toy.pt", seed=1, device=CPU)


def test_padding_affects_no_frame(toy, tmp_path):
    recipe = recipe_file.read(toy(task="alarm"))
    data = read(recipe, "train", tmp_path)
    network = network_of(recipe).eval()
    network.channel_features.fit(data.x, data.mask)
    shortest, longest = np.argmin(data.lengths), np.argmax(data.lengths)
    alone, with_padding = (padded(data, np.array(chosen), CPU) for chosen in ([shortest], [shortest, longest]))
    with torch.no_grad():
        output_alone, _ = network(alone.x, alone.mask, alone.delta)
        output_padded, _ = network(with_padding.x, with_padding.mask, with_padding.delta)
    ticks = data.lengths[shortest]
    torch.testing.assert_close(output_padded.logit[:1, :ticks], output_alone.logit, rtol=1e-4, atol=1e-5)
    assert with_padding.frame_mask[0, ticks:].sum() == 0


def test_windows_carry_the_state_and_drop_streams_that_have_ended(toy, tmp_path):
    recipe = recipe_file.read(toy())
    data = read(recipe, "train", tmp_path)
    network = network_of(recipe).eval()
    chosen = np.arange(6)
    batch = padded(data, chosen, CPU)
    with torch.no_grad():
        whole, _ = network(batch.x, batch.mask, batch.delta)
        state, going, ticks = None, chosen, 0
        for t, (window, still) in enumerate(windows(data, chosen, 7, CPU)):
            going = going[still]
            state = None if state is None else tuple(part[still] for part in state)
            output, state = network(window.x, window.mask, window.delta, state)
            assert (window.frame_mask.sum(1) > 0).all(), "no row is only padding"
            here = whole.mean[going, 7 * t : 7 * t + 7]
            torch.testing.assert_close(output.mean, here, rtol=1e-4, atol=1e-5)
            ticks += int(window.frame_mask.sum())
    assert len(going) < len(chosen)
    assert data.lengths[chosen].sum() - ticks <= 1  # a last window of a single tick is left out


def test_mixed_precision_gives_similar_losses(toy, tmp_path):
    losses = {}
    for wanted in ("full", "mixed"):
        recipe = recipe_file.read(toy(epochs=4, bptt=8, precision=wanted))
        data, valid = (read(recipe, part, tmp_path) for part in ("train", "valid"))
        epochs = []
        network = loop.train(
            task_of(recipe), recipe, data, valid, tmp_path / "toy.pt", seed=1, device=CPU, on_epoch=epochs.append
        )
        assert {weights.dtype for weights in network.parameters()} == {torch.float32}
        losses[wanted] = [epoch.train for epoch in epochs]
    assert losses["mixed"] != losses["full"]
    assert losses["mixed"] == pytest.approx(losses["full"], abs=0.05)
    assert losses["mixed"][-1] < losses["mixed"][0]


@pytest.mark.parametrize("task", ["forecast", "alarm", "classify", "seq2seq", "generate"])
def test_every_task_learns_in_windows_and_in_mixed_precision(tmp_path, task):
    path = tmp_path / "walk.yaml"
    content = walk.RECIPE.format(
        task=task, cell="lstm", width=8, head="normal", epochs=2, streams=16, extra=walk.EXTRA[task]
    )
    path.write_text(content.replace("training: {", "training: {bptt: 9, precision: mixed, "), encoding="utf-8")
    recipe = recipe_file.read(path)
    data = read(recipe, "train", tmp_path)
    epochs = []
    loop.train(task_of(recipe), recipe, data, data, tmp_path / "walk.pt", seed=1, device=CPU, on_epoch=epochs.append)
    assert epochs[-1].train < epochs[0].train


def test_the_curves_of_a_run_are_in_its_event_file(toy, tmp_path):
    pytest.importorskip("tensorboardX")
    recipe = recipe_file.read(toy(epochs=3))
    data = read(recipe, "train", tmp_path)
    epochs = []
    with ExitStack() as stack:
        write = tensorboard.curves(tmp_path / "log", stack)

        def progress(epoch):
            epochs.append(epoch)
            write(0, epoch)

        loop.train(task_of(recipe), recipe, data, data, tmp_path / "toy.pt", seed=1, device=CPU, on_epoch=progress)
    (file,) = (tmp_path / "log" / "member-0").iterdir()
    assert _scalars(file, "loss/train") == [(epoch.number, pytest.approx(epoch.train)) for epoch in epochs]
    assert _scalars(file, "loss/valid") == [(epoch.number, pytest.approx(epoch.valid)) for epoch in epochs]
    assert all(value > 0 for _, value in _scalars(file, "gradient norm"))


def _scalars(file, tag):
    """(step, value) of a tag, read as TensorBoard does: length, checksum, event, checksum."""
    from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415  (optional)

    content, at, found = file.read_bytes(), 0, []
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = Event.FromString(content[at + 12 : at + 12 + length])
        found += [(event.step, value.simple_value) for value in event.summary.value if value.tag == tag]
        at += 12 + length + 4
    return found


def test_without_tensorboardx_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with ExitStack() as stack, pytest.raises(TrainingError, match=r"pip install 'tocsin\[tensorboard\]'"):
        tensorboard.curves(tmp_path, stack)


def test_an_unsupported_precision_is_refused():
    assert product_dtype("auto", torch.device("meta")) is torch.float32
    with pytest.raises(TrainingError, match="precision mixed: device meta does not support it; say full, or auto"):
        product_dtype("mixed", torch.device("meta"))


def test_every_stream_is_in_one_batch():
    lengths = np.random.default_rng(0).integers(5, 90, 101)
    for batches in (shuffled(lengths, 8, np.random.default_rng(1)), in_order(lengths, 8)):
        assert sorted(np.concatenate(batches).tolist()) == list(range(101))


def test_a_nan_loss_stops_the_run(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=1))
    data = read(recipe, "train", tmp_path)
    broken = replace(data, x=np.full_like(data.x, np.nan))
    with pytest.raises(TrainingError, match=r"validation loss of epoch 1 is nan; lower training\.learning_rate"):
        loop.train(task_of(recipe), recipe, broken, broken, tmp_path / "toy.pt", seed=1, device=CPU)


def test_channels_masked_in_training_are_predicted_from_the_others(toy, tmp_path):
    recipe = recipe_file.read(toy(epochs=1))
    recipe = recipe.model_copy(
        update={
            "network": recipe.network.model_copy(update={"forecast_target": "level", "dropout": 0.0, "logarithmic": ()})
        }
    )
    random = np.random.default_rng(1)
    alike = [
        StreamRecord(str(b), np.arange(60), np.column_stack([level, level, level, level * 0 + 50, level * 0]))
        for b in range(24)
        for level in [100 + 30 * np.sin(np.arange(60) / 5 + 6 * random.random())]
    ]
    data = StreamDataset.of(recipe.channels, 60.0, 3600.0, alike)
    x, mask, delta = (torch.tensor(part.reshape(24, 60, -1)) for part in (data.x, data.mask, data.delta))
    mask[..., 0] = 0.0
    errors = []
    for share in (0.0, 0.5):
        options = recipe.training.model_copy(update={"reading_dropout": share, "epochs": 12, "learning_rate": 0.01})
        hiding = recipe.model_copy(update={"training": options})
        network = loop.train(
            task_of(hiding), hiding, data, data, tmp_path / f"{share}.pt", seed=1, device=torch.device("cpu")
        )
        with torch.no_grad():
            output, _ = network(x * mask, mask, delta)
        whole = network.channel_features.normalise(x, torch.ones_like(x))
        errors.append(float(((output.mean[:, 20:-1, 0] - whole[:, 21:, 0]) ** 2).mean()))
    assert errors[1] < 0.8 * errors[0]
