"""Records without an operating point are refused before training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tocsin_training import pipeline, recipe_file
from tocsin_training.errors import TrainingError
from tocsin_training.train import loop


@pytest.fixture
def making(tmp_path, monkeypatch):
    """Train a bundle on changed toy records; fitting a network fails the test."""

    def trained(*_arguments, **_options):
        pytest.fail("a network was trained")

    monkeypatch.setattr(loop, "train", trained)

    def run(path, change=lambda _part, data: data, **serving):
        recipe = recipe_file.read(path)
        recipe = recipe.model_copy(update={"serving": recipe.serving.model_copy(update=serving)})
        read = pipeline.read
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "read", lambda recipe, part, *where: change(part, read(recipe, part, *where)))
            pipeline.train_bundle(recipe, tmp_path, runs=tmp_path / "runs", device=torch.device("cpu"))

    return run


def test_a_channel_that_no_training_stream_has(toy, making):
    def change(here, data):
        known = np.array([1, 0, 1, 0, 1], dtype=np.float32)
        return replace(data, x=data.x * known, mask=data.mask * known) if here == "train" else data

    with pytest.raises(TrainingError, match="'toy:read': no stream of part train has a plausible b, age; leave"):
        making(toy(), change)


@pytest.mark.parametrize("part", ["train", "valid"])
@pytest.mark.parametrize(("label", "message"), [(0, "no"), (1, "every")])
def test_a_part_of_one_label(toy, making, part, label, message):
    def change(here, data):
        return replace(data, label=data.label * 0 + label) if here == part else data

    with pytest.raises(TrainingError, match=rf"'toy:read': {message} frame of part {part} is labelled 1; give"):
        making(toy(task="alarm"), change)


def test_with_folds_the_validation_streams_need_no_event(toy, making):
    def change(here, data):
        return replace(data, label=data.label * 0) if here == "valid" else data

    with pytest.raises(pytest.fail.Exception, match="a network was trained"):
        making(toy(task="alarm", folds=3), change)


TREES = "tree_ensemble: {trainer: toy:Last}\n"


@pytest.mark.parametrize(
    ("there", "folds", "also", "remedy"),
    [(2, 3, "", "say 1, or give more"), (4, 5, "", "say 4, or give more"), (2, 3, TREES, "give more")],
)
def test_with_folds_each_one_needs_an_event(toy, making, there, folds, also, remedy):
    def change(here, data):
        kept = np.repeat(np.isin(np.arange(len(data)), np.flatnonzero(data.eventful)[:there]), data.lengths)
        return replace(data, label=np.where(kept, data.label, 0)) if here == "train" else data

    message = (
        rf"toy: {there} of 24 streams of part train have an event, too few for each of training\.folds {folds} to hold "
        rf"one; {remedy} streams with events"
    )
    path = toy(task="alarm", folds=folds)
    path.write_text(path.read_text() + also)
    with pytest.raises(TrainingError, match=message):
        making(path, change)


@pytest.mark.parametrize("delays", [{"warm_up_ticks": 500}, {"warm_up_ticks": 20, "on_delay_ticks": 480}])
@pytest.mark.parametrize(("task", "folds", "streams"), [("forecast", 1, 12), ("alarm", 1, 12), ("alarm", 3, 36)])
def test_streams_shorter_than_the_warm_up(toy, making, delays, task, folds, streams):
    message = (
        rf"toy: the longest of {streams} streams to judge by has \d\d frames, "
        rf".*warm_up_ticks {delays['warm_up_ticks']} and"
    )
    with pytest.raises(TrainingError, match=message):
        making(toy(task=task, folds=folds), **delays)


@pytest.mark.parametrize("part", ["train", "valid"])
def test_streams_shorter_than_the_horizon(toy, making, part):
    def change(here, data):
        lasts = data.tick[data.start[1:] - 1] - data.tick[data.start[:-1]]
        return data.pick(np.flatnonzero(lasts < 40)) if here == part else data

    path = toy(task="seq2seq")
    path.write_text(path.read_text() + "horizon: {ticks: 45, quantiles: [0.1, 0.9]}\n")
    message = rf"toy: the longest stream of part {part} lasts 3\d ticks, .* horizon.ticks 45: give longer"
    with pytest.raises(TrainingError, match=message):
        making(path, change)
