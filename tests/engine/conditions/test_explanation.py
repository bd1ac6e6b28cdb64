"""Explanations of alarms, and rescoring from the frames that they carry."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from counting_watch import HR, START, S, alarm, model

from tocsin.bundle import load, shipped_folder
from tocsin.engine import Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.combination import AllOf
from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.frames.history import rescore

KEPT = 8


def watching(*alarms, reprocess_late_ticks=0, explain_ticks=KEPT, of=None, **of_model):
    clock = FrameClock(lateness_ns=0, frame_timeout_ns=0, reprocess_late_ticks=reprocess_late_ticks)
    return Engine(Watch(of or model(**of_model), alarms, clock, max_streams=100, explain_ticks=explain_ticks))


def read(engine, at, **values):
    t = START + round(at * S)
    return engine.apply(Readings.of([("bed", t, values)]), t).events


def ticks(frames):
    return ((np.frombuffer(base64.b64decode(frames.tick), dtype="<i8") * S - START) // S).tolist()


def test_a_score_says_since_when_it_has_been_rising_and_what_touched_it():
    engine = watching(alarm("odd", ScoreAbove(100)), max_gap_ticks=60, warm_up_ticks=2)
    changes = []
    for at, score in [(0, 20), (1, 20), (2, 20), (7, 49), (8, 50), (9, 80), (10, 101), (11, 60), (12, 20)]:
        changes += read(engine, at, hr=2 * score - min(score, 100), spo2=min(score, 100))
    began, ceased = changes
    explanation = began.report.explanation
    assert (explanation.model, explanation.sha256, explanation.threshold) == ("counting/1", "0" * 64, 100)
    assert explanation.rising_since == START + 8 * S
    assert (explanation.warm_up_ticks, explanation.frames_seen, explanation.state_since) == (2, 7, START)
    assert (explanation.gap_s, explanation.gap_ended, explanation.reprocessed) == (4.0, START + 7 * S, None)
    assert explanation.frames is not None
    assert ceased.report.explanation.frames is None
    assert ceased.report.explanation.rising_since == START + 8 * S


def test_a_limit_rests_on_no_model_and_a_combination_with_a_score_does():
    both = AllOf((Above(HR, 100, 0), ScoreAbove(90)))
    engine = watching(alarm("hr-high", Above(HR, 100, 0)), alarm("both", both))
    of = {change.alarm: change for change in read(engine, 0, hr=120, spo2=97)}
    assert of["hr-high"].report.explanation is None
    assert of["both"].report.explanation.threshold == 90
    assert of["both"].report.explanation.rising_since == START


def test_what_is_lost_by_silence_is_explained_without_frames():
    engine = watching(alarm("odd", ScoreAbove(90)), alarm("silent", Silent(5 * S)))
    read(engine, 0, hr=120, spo2=97)
    later = engine.apply(Readings.of([]), START + 9 * S).events
    assert [(change.alarm, change.kind.value) for change in later] == [("silent", "active"), ("odd", "uncertain")]
    assert later[0].report.explanation is None
    assert later[1].report.explanation.frames is None


def test_a_reprocessed_frame_is_named_and_the_recent_frames_begin_anew():
    engine = watching(alarm("odd", ScoreAbove(110)), reprocess_late_ticks=5)
    for at in range(6):
        read(engine, at, hr=80, spo2=97)
    # The reading of second 3 was late by two ticks: everything from there on was stepped again.
    read(engine, 3.5, hr=90)
    (change,) = read(engine, 6, hr=140, spo2=97)
    assert change.report.explanation.reprocessed == START + 5 * S
    assert ticks(change.report.explanation.frames) == [3, 4, 5, 6]


def test_as_many_frames_are_kept_as_were_asked_for_and_at_most_twice_as_many():
    engine = watching(alarm("odd", ScoreAbove(110)))
    for at in range(50):
        level = 140 if at % 2 else 80
        for change in read(engine, at, hr=level, spo2=97):
            if change.kind == "active":
                frames = ticks(change.report.explanation.frames)
                assert frames == list(range(frames[0], at + 1))
                assert min(at + 1, KEPT) <= len(frames) <= 2 * KEPT
    assert engine.table.recent_tick.shape[1] == 2 * KEPT


@pytest.mark.parametrize("alarms", [[alarm("hr-high", Above(HR, 100, 0))], [alarm("odd", ScoreAbove(90))]])
def test_nothing_is_kept_where_nothing_can_be_explained_or_no_frames_are_configured(alarms):
    scored = alarms[0].name == "odd"
    engine = watching(*alarms, explain_ticks=0 if scored else KEPT)
    (change,) = read(engine, 0, hr=120, spo2=97)
    assert engine.table.recent_frame.size == 0
    assert engine.table.recent_state.size == 0
    assert scored == (change.report.explanation is not None and change.report.explanation.frames is None)


def test_an_imported_stream_goes_on_with_its_frames_unless_fewer_are_kept_here():
    before = watching(alarm("odd", ScoreAbove(110)))
    for at in range(5):
        read(before, at, hr=80, spo2=97)
    for explain_ticks, expected in ((KEPT, [0, 1, 2, 3, 4, 5]), (2, [5])):
        after = watching(alarm("odd", ScoreAbove(110)), explain_ticks=explain_ticks)
        after.import_streams(before.export_streams(), START + 5 * S)
        (change,) = read(after, 5, hr=140, spo2=97)
        assert ticks(change.report.explanation.frames) == expected


def test_a_score_is_made_again_to_the_bit_after_gaps_and_missing_channels():
    """With the shipped ward model, whose state reaches far back: what is carried is enough."""
    bundle = load(shipped_folder() / "ward-vitals/1")
    engine = watching(alarm("odd", ScoreAbove(0.0), off_delay_s=0), of=bundle.model, explain_ticks=20)
    rng = np.random.default_rng(5)
    names = [channel.name for channel in bundle.model.channels]
    level = np.array([80.0, 97.0, 16.0, 120.0, 75.0, 36.8])
    at, found = 0, []
    for _ in range(300):
        at += 1 if rng.random() > 0.1 else int(rng.integers(2, 20))
        seen = rng.random(len(names)) > 0.2
        values = level + rng.normal(0, 1, len(names))
        given = {name: value for name, value, is_seen in zip(names, values, seen, strict=True) if is_seen}
        found += [c for c in read(engine, at, **given) if c.kind == "active" and c.report.score is not None]
        engine.table.delay_state[:] = 0  # so that it begins in every frame
    assert len(found) > 200
    for change in found[-1], *found[::20]:
        again = rescore(bundle.model, change.report.explanation.frames)
        assert float(again.score[-1]) == change.report.score
        by_name = {entry.channel: entry for entry in change.report.evidence}
        for c, name in enumerate(names):
            assert by_name[name].mean == pytest.approx(float(again.mean[-1, c]), rel=1e-6, nan_ok=True)


def test_frames_of_another_model_are_refused():
    engine = watching(alarm("odd", ScoreAbove(90)))
    (change,) = read(engine, 0, hr=120, spo2=97)
    other = load(shipped_folder() / "ward-vitals/1").model
    with pytest.raises(ValueError, match="frames are of channels hr, spo2, age, hours"):
        rescore(other, change.report.explanation.frames)
