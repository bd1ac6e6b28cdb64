"""A teacher judges no stream that it has met, nor one that the member it teaches is held to; networks learn from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tocsin_training import recipe_file
from tocsin_training.data import sources
from tocsin_training.data.batches import epoch_streams
from tocsin_training.errors import TrainingError
from tocsin_training.tasks.registry import task_of
from tocsin_training.train import distillation, loop, members

FOLDS = 4


class Notes:
    """Fits nothing: of every row it says which call judged it, and notes what that call was fitted on."""

    def __init__(self, data):
        self.data = data
        self.fitted = []

    def predict(self, fitted, asked, seed):  # noqa: ARG002
        self.fitted.append(set(fitted.tolist()))
        return [np.full(len(self.data.rows(streams)), len(self.fitted) - 1, dtype=np.float32) for streams in asked]


@pytest.fixture
def toys(toy, tmp_path):
    """The toy recipe and its training data."""
    recipe = recipe_file.read(toy(task="alarm", folds=FOLDS))
    return recipe, sources.read(recipe, "train", tmp_path)


def test_no_teacher_has_met_what_it_judges_nor_what_its_member_is_held_to(toys):
    _, data = toys
    fold = members.folds(data, FOLDS, 1)
    teacher = Notes(data)
    said = distillation.cross_fitted(teacher, data, fold, seed=1)
    assert said.shape == (FOLDS, len(data.x))
    for member in range(FOLDS):
        held_out = set(np.flatnonzero(fold == member).tolist())
        for stream in np.flatnonzero(fold != member):
            calls = np.unique(said[member, data.start[stream] : data.start[stream + 1]])
            assert len(calls) == 1
            fitted = teacher.fitted[int(calls[0])]
            assert int(stream) not in fitted, "a teacher that has met a stream repeats its label"
            assert not fitted & held_out, "what a member learns may not come from the streams it is held to"


def test_a_member_is_held_to_the_mean_of_the_teachers_without_its_fold(toys):
    _, data = toys
    fold = members.folds(data, FOLDS, 1)
    teacher = Notes(data)
    said = distillation.cross_fitted(teacher, data, fold, seed=1)
    for member in range(FOLDS):
        held_out = np.flatnonzero(fold == member)
        without = [call for call, fitted in enumerate(teacher.fitted) if not fitted & set(held_out.tolist())]
        assert said[member, data.rows(held_out)] == pytest.approx(np.mean(without))


def test_a_run_that_is_resumed_asks_a_teacher_again_only_about_other_records(toys, tmp_path, monkeypatch):
    recipe, data = toys
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"teacher": "test_distillation:Notes"})})
    fold = members.folds(data, FOLDS, 1)
    asked = []

    def teacher_of(_recipe, data):
        asked.append(Notes(data))
        return asked[-1]

    monkeypatch.setattr(distillation, "teacher_of", teacher_of)

    def teacher_targets(recipe, data):
        return distillation.teacher_targets(recipe, data, fold, tmp_path / "runs" / "teacher.npz", resume=True)

    said = teacher_targets(recipe, data)
    assert np.array_equal(said, teacher_targets(recipe, data))
    assert len(asked) == 1
    teacher_targets(recipe, replace(data, label=1 - data.label))
    assert len(asked) == 2
    teacher_targets(recipe.model_copy(update={"data": recipe.data.model_copy(update={"teacher": "other:Notes"})}), data)
    assert len(asked) == 3


def damaged(kept, how):
    """Rewrite a file of a teacher's answers."""
    with np.load(kept) as answers:
        key, targets = answers["key"], answers["targets"]
    if how == "plain":
        with kept.open("wb") as file:
            np.save(file, targets)
    elif how == "short":
        np.savez(kept, key=key, targets=targets[:, :5])
    elif how == "unsaid":
        np.savez(kept, key=key)
    else:
        kept.write_bytes({"empty": b"", "half": kept.read_bytes()[:300], "flipped": flipped(kept.read_bytes())}[how])


def flipped(content):
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("how", ["plain", "short", "unsaid", "empty", "half", "flipped"])
def test_answers_that_cannot_be_read_are_asked_for_anew(toys, tmp_path, monkeypatch, how):
    recipe, data = toys
    fold = members.folds(data, FOLDS, 1)
    monkeypatch.setattr(distillation, "teacher_of", lambda _recipe, data: Notes(data))
    kept = tmp_path / "teacher.npz"
    said = distillation.teacher_targets(recipe, data, fold, kept, resume=False)
    whole = kept.read_bytes()
    damaged(kept, how)
    assert np.array_equal(distillation.teacher_targets(recipe, data, fold, kept, resume=True), said)
    assert kept.read_bytes() == whole


def test_a_network_learns_what_the_teacher_says_and_not_the_label(toy, tmp_path):
    path = toy(task="alarm", epochs=15)
    recipe = recipe_file.read(path)
    loss = recipe.loss.model_copy(update={"gain": 0.0, "teacher": 1.0})
    training = recipe.training.model_copy(update={"learning_rate": 0.02})
    recipe = recipe.model_copy(update={"loss": loss, "training": training})
    data = sources.read(recipe, "train", tmp_path)
    contrary = replace(data, teacher=np.where(np.repeat(data.eventful, data.lengths), 0.1, 0.9).astype(np.float32))
    network = loop.train(
        task_of(recipe), recipe, contrary, contrary, tmp_path / "one.pt", seed=1, device=torch.device("cpu")
    )
    logit = members.logits(network, data)
    quiet = np.repeat(~data.eventful, data.lengths)
    assert logit[data.label > 0].mean() < 0 < logit[quiet].mean()


def test_every_turn_sees_all_events_and_the_others_take_turns(toys):
    _, data = toys
    turns = epoch_streams(data, 3, seed=1)
    quiet = [set(turn.tolist()) - set(np.flatnonzero(data.eventful).tolist()) for turn in turns]
    assert all(np.isin(np.flatnonzero(data.eventful), turn).all() for turn in turns)
    assert set.union(*quiet) == set(np.flatnonzero(~data.eventful).tolist())
    assert sum(len(turn) for turn in quiet) == (~data.eventful).sum()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  source: toy:read", "  source: toy:read\n  teacher: toy:Teacher", "go together; give both or none"),
        ("  folds: 4", "  folds: 4\n  negative_subsampling: 3", "negative_subsampling 3 would teach labels as if the"),
    ],
)
def test_what_a_recipe_may_not_ask_of_a_teacher(toy, old, new, told):
    path = toy(task="alarm", folds=FOLDS)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(TrainingError, match=told):
        recipe_file.read(path)


def test_a_teacher_that_is_not_there_is_told(toys):
    recipe, data = toys
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"teacher": "toy:Nobody"})})
    with pytest.raises(TrainingError, match=r"toy:Nobody.*cannot be found"):
        distillation.teacher_of(recipe, data)
