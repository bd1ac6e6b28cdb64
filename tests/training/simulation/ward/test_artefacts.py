"""Artefacts of the ward simulator, through the watch of a configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tocsin.config import check
from tocsin.engine import Engine, FrameClock, Readings, Watch
from tocsin.runtime.build import build_alarms
from tocsin_training.simulation.ward.episodes import EpisodeKind, draw
from tocsin_training.simulation.ward.simulator import CHANNELS, Ward

S = 1_000_000_000
START = 1_790_000_000 * S
ONSET_S, TICKS = 300, 660
HR = 0
CONFIGURATION = Path(__file__).parents[4] / "config" / "tocsin.yaml"


def sustained(kind, bed, seconds, rng, **size):
    episode = draw(kind, f"ward/bed-{bed}", ONSET_S, rng)
    return replace(episode, hold_s=seconds, size={**episode.size, **size})


def alarms_after_onset(script, beds):
    """(bed, alarm, category) of every alarm that began after the onset of the artefacts."""
    checked = check(CONFIGURATION)
    bundle = checked.bundles["ward"]
    engine = Engine(Watch(bundle.model, build_alarms(checked.config.watches["ward"], bundle), FrameClock(0, S), 1000))
    ward = Ward(seed=11, beds=beds, artefacts=False, activity=False, script=script)
    shown = ward.read(TICKS)
    found = set()
    for tick in range(TICKS):
        t = START + tick * S
        came = np.flatnonzero(~np.isnan(shown[:, tick]).all(axis=1)).astype(np.int32)
        readings = Readings(list(ward.streams), list(CHANNELS), came, np.full(len(came), t), shown[came, tick])
        for change in engine.apply(readings, t + S // 2).events:
            if change.kind == "active" and tick >= ONSET_S:
                found.add((int(change.stream.rpartition("-")[2]), change.alarm, str(change.category)))
    return found


@pytest.fixture(scope="module")
def alarms_raised():
    rng = np.random.default_rng(1)
    script = [
        sustained(EpisodeKind.PROBE_OFF, 1, 200, rng),
        sustained(EpisodeKind.PROBE_OFF, 2, 200, rng),
        sustained(EpisodeKind.DROP_OUT, 3, 90, rng),
        sustained(EpisodeKind.DROP_OUT, 4, 40, rng),
        sustained(EpisodeKind.FLAT_LINE, 5, 200, rng, channel=float(HR)),
        sustained(EpisodeKind.MOTION, 6, 10, rng),
        sustained(EpisodeKind.MOTION, 7, 10, rng),
        sustained(EpisodeKind.CUFF_ERROR, 8, 200, rng, offset=-15.0, offset_s=160.0),
        sustained(EpisodeKind.CUFF_ERROR, 9, 200, rng, offset=15.0, offset_s=160.0),
    ]
    return alarms_after_onset(script, beds=10)


def test_artefacts_give_technical_alarms_only(alarms_raised):
    """Except for a cuff held too high or too low and for long movement, which limits cannot detect."""
    assert {entry for entry in alarms_raised if entry[0] not in {8, 9}} == {
        (1, "spo2-absent", "technical"),
        (2, "spo2-absent", "technical"),
        (3, "bed-silent", "technical"),
        (4, "bed-silent", "technical"),
        (5, "hr-flat", "technical"),
    }


def test_a_cuff_held_too_high_or_too_low_is_no_deterioration(alarms_raised):
    assert not [entry for entry in alarms_raised if entry[0] in {8, 9} and entry[1] in {"deterioration", "sbp-falls"}]
