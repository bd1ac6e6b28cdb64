"""`tocsin generate` draws streams from a profile, the same for the same seed, and `tocsin replay` can read them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import toy_bundle
from processes import tocsin

from tocsin.bundle import load
from tocsin.bundle.generation import GenerationError, generate
from tocsin.recording import read

PROFILE = {"age": 70.0, "weight": 60.0}


@pytest.fixture
def toy(tmp_path):
    """Each frame is expected as the one before, give or take 1: a walk that begins at 0."""
    return toy_bundle.write_generator(tmp_path / "toy")


def test_the_same_seed_gives_the_same_streams_however_many_there_are(toy):
    bundle = load(toy)
    three = generate(bundle, PROFILE, 3, 40, seed=5)
    assert three.channels == ("hr", "spo2")
    assert three.values.shape == (3, 40, 2)
    assert generate(bundle, PROFILE, 3, 40, seed=5).values.tobytes() == three.values.tobytes()
    assert generate(bundle, PROFILE, 1, 40, seed=5).values[0].tobytes() == three.values[0].tobytes()
    assert generate(bundle, PROFILE, 3, 40, seed=6).values.tobytes() != three.values.tobytes()
    assert three.values[0].tobytes() != three.values[1].tobytes()


def test_each_frame_is_drawn_from_what_the_one_before_led_to(toy):
    steps = np.diff(generate(load(toy), PROFILE, 50, 200, seed=1).values, axis=1)
    walking = generate(load(toy), PROFILE, 50, 200, seed=1).values[:, :-1] > 5  # far from where it is cut
    assert abs(steps[walking].mean()) < 0.05
    assert abs(steps[walking].std() - 1) < 0.05


def test_a_student_t_has_heavier_tails(tmp_path):
    bundle = load(toy_bundle.write_generator(tmp_path / "t", df=[3, 3, 3, 3]))
    steps = np.diff(generate(bundle, PROFILE, 50, 200, seed=1).values, axis=1)
    assert (np.abs(steps) > 4).mean() > 0.005


def test_what_is_impossible_is_cut(toy):
    values = generate(load(toy), PROFILE, 20, 50, seed=1).values
    assert values.min() == 0.0
    assert (values[:, 0] >= 0).all()


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({"age": 70}, r"profile: weight missing \(needed: age 0 to 100 1, weight 0 to 100 1\)"),
        ({**PROFILE, "iq": 100}, "profile: toy takes no iq"),
        ({**PROFILE, "age": 170}, "profile: age 170 is out of range"),
        ({**PROFILE, "age": float("nan")}, "profile: age nan is out of range"),
    ],
)
def test_a_profile_that_does_not_fit(toy, profile, message):
    with pytest.raises(GenerationError, match=message):
        generate(load(toy), profile, 1, 5, seed=1)


def test_a_model_that_makes_no_streams(tmp_path):
    bundle = load(toy_bundle.write(tmp_path / "toy"))
    with pytest.raises(
        GenerationError, match="bundle toy/1 is of task forecast: it makes no streams; give one of task g"
    ):
        generate(bundle, PROFILE, 1, 5, seed=1)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_table_can_be_replayed(toy, tmp_path, kind):
    out = tmp_path / f"made.{kind}"
    words = ["generate", str(toy), "--profile", "age=70,weight=60", "--ticks", "20", "--streams", "2", "--seed", "5"]
    done = tocsin(*words, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {out}: 2 × 20 frames of hr, spo2\n"
    recording = read(out, "vitals/ward/{stream}", "t", "s", None, None, None)
    messages = list(recording.messages())
    assert len(messages) == 40
    assert messages[0][:2] == (1_767_225_600 * 10**9, "vitals/ward/generated-1")
    assert b'"t":1767225600000,"hr":' in messages[0][2]
    table = pl.read_parquet(out) if kind == "parquet" else pl.read_csv(out)
    again = generate(load(toy), PROFILE, 2, 20, seed=5).values.reshape(-1, 2)
    np.testing.assert_allclose(table.select("hr", "spo2").to_numpy(), again, rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--profile", "age"], "profile: 'age' is no NAME=VALUE"),
        (["--profile", "age=70,weight=60,age=71"], "profile: age is 70 and 71"),
        (["--out", "x.xlsx"], "x.xlsx: unknown kind of table '.xlsx' (legal: .parquet, .csv)"),
        (["--out", "no/where.csv"], "no/where.csv: cannot be written: No such file or directory"),
        (["--start", "today"], "start 'today' is no ISO 8601 time"),
    ],
)
def test_a_command_that_cannot_work(toy, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    sound = {"--profile": "age=70,weight=60", "--out": "x.csv", "--ticks": "5"}
    sound |= dict(zip(words[::2], words[1::2], strict=True))
    done = tocsin("generate", str(toy), *(word for pair in sound.items() for word in pair))
    assert done.returncode == 1
    assert message in done.stderr


def test_a_bundle_that_is_not_there():
    done = tocsin("generate", "missing/1", "--profile", "a=1", "--out", "x.csv")
    assert "no bundle 'missing/1'" in done.stderr
