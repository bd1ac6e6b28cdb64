"""Leads are counted as the page says."""

import numpy as np
import pytest

from tocsin.engine.model import Channel, Model, StepResult, Task
from tocsin_studies.ward_lead import measure
from tocsin_studies.ward_lead.page import AT_ONCE, DELAYED, TOCSIN, DetectionTimes, LeadResults, figures, lead_s, page
from tocsin_training.simulation.ward.episodes import DETERIORATIONS, Episode, EpisodeKind
from tocsin_training.simulation.ward.simulator import CHANNELS, UNITS


def heart_rate_as_score(x, mask, delta, state):  # noqa: ARG001  (the engine calls with these)
    score = np.where(mask[:, 0] > 0, x[:, 0], np.nan).astype(np.float32)
    return StepResult(score, np.zeros_like(x), x, np.ones_like(x), state)


MODEL = Model(
    name="fake",
    version="1",
    sha256="0" * 64,
    task=Task.FORECAST,
    channels=tuple(Channel(name, unit, 0, 400) for name, unit in zip(CHANNELS, UNITS, strict=True)),
    period_ns=1_000_000_000,
    state_size=1,
    warm_up_ticks=0,
    max_gap_ticks=600,
    delta_cap_s=600.0,
    threshold=110.0,
    step=heart_rate_as_score,
)


def course(**rang_s):
    named = {"tocsin": TOCSIN, "at_once": AT_ONCE, "delayed": DELAYED}
    episode = Episode(EpisodeKind.SEPSIS, "ward/bed-1", 7200, 3600.0, 1800.0)
    return DetectionTimes(episode, {named[name]: at_s for name, at_s in rang_s.items()})


def test_the_engine_rings_limits_with_their_delays():
    values = np.tile([80.0, 97.0, 15.0, 120.0, 70.0, 37.0], (60, 1))
    values[20:, 0] = 115.0  # over the fake model's threshold
    values[30:, 0] = 125.0  # over the limit of 120
    alarm_rows = measure._onsets(MODEL, [values])  # noqa: SLF001  (the counting itself is what is tested)
    assert alarm_rows == {TOCSIN: [[23.0]], AT_ONCE: [[30.0]], DELAYED: [[45.0]]}


def test_a_lead_needs_both_to_ring():
    assert lead_s(course(tocsin=100, at_once=160), AT_ONCE) == 60
    assert lead_s(course(tocsin=100), AT_ONCE) is None
    assert lead_s(course(at_once=100), AT_ONCE) is None


def test_figures_count_every_patient():
    measured = LeadResults(
        courses=[course(tocsin=100, at_once=160, delayed=200), course(tocsin=100), course(at_once=50, delayed=90)],
        false_a_day={TOCSIN: 1.0, AT_ONCE: 100.0, DELAYED: 8.0},
        bed_days=50.0,
        model="fake/1",
        threshold=1.0,
    )
    found = figures(measured)
    assert found["deteriorations rung, share"] == pytest.approx(2 / 3, abs=1e-3)
    assert found[f"median lead over {AT_ONCE}, s"] == 60
    assert found[f"rang before {DELAYED}, share"] == pytest.approx(2 / 3, abs=1e-3)
    assert found[f"false alarms of {DELAYED} per bed-day"] == 8


def test_the_page_has_a_row_for_each_deterioration():
    courses = [
        DetectionTimes(Episode(kind, "ward/bed-1", 7200, 60.0, 600.0), {TOCSIN: 50.0, DELAYED: 90.0})
        for kind in DETERIORATIONS
    ]
    told = page(LeadResults(courses, {TOCSIN: 1.0, AT_ONCE: 100.0, DELAYED: 8.0}, 50.0, "fake/1", 1.0))
    for kind in DETERIORATIONS:
        assert f"| {kind} (1) | 100 % | 0 % | 100 % | - | 100 % | +40 s (+40 to +40) | 100 % |" in told
    assert "| Tocsin | 1.00 |" in told
