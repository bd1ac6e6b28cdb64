"""Departure score: deviation of a stream from its own past, compared with normal streams."""

import pytest
import torch

from tocsin_training.scores.departure import LEVELS, Departure

C = 3


def run(score_module, expected, z=None, observed=None):
    """Evidence (T, C) over one stream whose level is `expected` (T, C)."""
    ticks = len(expected)
    z = torch.zeros(ticks, C) if z is None else z
    observed = torch.ones(ticks, C) if observed is None else observed
    state, evidence = torch.zeros(1, score_module.state_size), []
    for t in range(ticks):
        found, state = score_module(z[t : t + 1], observed[t : t + 1], expected[t : t + 1], state)
        evidence.append(found[0])
    return torch.stack(evidence), state


def test_a_level_that_stays_is_no_departure():
    evidence, _ = run(Departure(C, 4.0), torch.ones(300, C))
    assert evidence.abs().max() < 1e-6


def test_a_level_that_moves_is_one_and_the_channel_is_named():
    expected = torch.zeros(400, C)
    expected[200:, 1] = torch.linspace(0, 3, 200)
    evidence, _ = run(Departure(C, 4.0), expected)
    assert evidence[-1].argmax() == 1
    assert evidence[-1].sum() > evidence[210].sum() > evidence[199].sum() - 1e-9


def test_correlated_deviations_of_normal_streams_count_less():
    score_module = Departure(C, 4.0)
    together = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    for view in range(3):
        score_module.form[view] = torch.linalg.inv(together)
    alike, against = torch.zeros(300, C), torch.zeros(300, C)
    alike[200:, :2] = 1.0
    against[200:, 0], against[200:, 1] = 1.0, -1.0
    assert run(score_module, against)[0][250].sum() > 5 * run(score_module, alike)[0][250].sum()


def test_one_extreme_frame_is_clipped():
    z = torch.zeros(60, C)
    z[40, 0] = 100.0
    wild, _ = run(Departure(C, 4.0), torch.zeros(60, C), z)
    z[40, 0] = 4.0
    cut, _ = run(Departure(C, 4.0), torch.zeros(60, C), z)
    torch.testing.assert_close(wild, cut)


def test_a_missing_channel_adds_nothing_and_keeps_its_level():
    expected = torch.zeros(300, C)
    observed = torch.ones(300, C)
    observed[200:, 2] = 0.0
    expected[200:, 2] = 50.0  # the forecast of a missing channel has no effect
    evidence, state = run(Departure(C, 4.0), expected, observed=observed)
    assert evidence[200:, 2].abs().max() == 0
    assert state[0].reshape(-1, C)[3:, 2].abs().max() == 0


def test_the_band_is_the_streams_own_level():
    score_module = Departure(C, 4.0)
    _, state = run(score_module, torch.full((100, C), 2.0))
    mean, scale = score_module.band(torch.full((1, C), 9.0), torch.full((1, C), 0.1), state)
    torch.testing.assert_close(mean, torch.full((1, C), 2.0))
    torch.testing.assert_close(scale, torch.ones(1, C))
    fresh, _ = score_module.band(torch.full((1, C), 9.0), torch.ones(1, C), torch.zeros(1, score_module.state_size))
    torch.testing.assert_close(fresh, torch.full((1, C), 9.0))


@pytest.mark.parametrize("after", [60, 100])
def test_a_new_level_does_not_follow_a_fall(after):
    expected = torch.zeros(after, C)
    expected[20:, 0] = 1.0
    _, state = run(Departure(C, 4.0), expected)
    slow = state[0].reshape(-1, C)[-1, 0]
    assert slow < 0.5
    assert LEVELS[-1][1] > after


def test_values_before_a_gap_do_not_affect_the_level_after_it():
    expected, observed = torch.zeros(400, C), torch.ones(400, C)
    expected[200:206, 1] = -8.0  # a probe is detached ...
    observed[206:300, 1] = 0.0  # ... is missing ...
    evidence, _ = run(Departure(C, 4.0), expected, observed=observed)
    assert evidence[205].sum() > 1.0
    assert evidence[300:].abs().max() < 0.1 * evidence[205].sum()  # ... and is attached again
