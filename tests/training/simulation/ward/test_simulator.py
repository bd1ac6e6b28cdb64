"""Simulated ward: reproducible, labelled, and plausible in physiology and measurement."""

import itertools
import time

import numpy as np
import pytest

from tocsin_training.simulation.ward.episodes import (
    ARTEFACTS,
    DETERIORATIONS,
    Episode,
    EpisodeCategory,
    EpisodeKind,
    draw,
)
from tocsin_training.simulation.ward.simulator import CHANNELS, Ward

HR, SPO2, RR, SBP, DBP, TEMP = range(6)


def quiet(seed, beds=1, **options):
    return Ward(seed=seed, beds=beds, artefacts=False, activity=False, **options)


def scripted(kind, onset_s=600, seed=0):
    return draw(kind, "ward/bed-1", onset_s, np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_bits():
    first = Ward(seed=5, beds=3, deteriorations=True).read(7200)
    again = Ward(seed=5, beds=3, deteriorations=True).read(7200)
    np.testing.assert_array_equal(first, again)


def test_another_seed_gives_another_ward():
    assert not np.array_equal(quiet(5).read(600), quiet(6).read(600))


def test_a_bed_does_not_depend_on_how_many_others_there_are():
    alone = Ward(seed=5, beds=1).read(7200)
    among = Ward(seed=5, beds=4).read(7200)
    np.testing.assert_array_equal(alone[0], among[0])
    assert not np.array_equal(among[0], among[1])


def test_reading_in_chunks_equals_reading_at_once():
    at_once = Ward(seed=2, beds=2).read(8000)
    ward = Ward(seed=2, beds=2)
    pieces = np.concatenate([ward.read(ticks) for ticks in (1, 59, 3540, 4400)], axis=1)
    np.testing.assert_array_equal(at_once, pieces)
    assert ward.tick == 8000


def test_an_episode_changes_nothing_before_its_onset():
    plain = quiet(3).read(4000)
    ill = quiet(3, script=[scripted(EpisodeKind.HAEMORRHAGE, onset_s=2000)]).read(4000)
    np.testing.assert_array_equal(plain[:, :2000], ill[:, :2000])
    assert not np.array_equal(plain[:, 2000:], ill[:, 2000:])


def test_artefacts_do_not_change_the_physiology():
    clean = quiet(4, beds=2).read(20_000)
    ward = Ward(seed=4, beds=2, activity=False)
    disturbed = ward.read(20_000)
    touched = np.zeros((2, 20_000), dtype=bool)
    for episode in ward.episodes:
        touched[ward.streams.index(episode.stream)] |= episode.covers(np.arange(20_000.0))
    assert 0.02 < touched.mean() < 0.6
    np.testing.assert_array_equal(clean[~touched], disturbed[~touched])


def test_every_gap_lies_in_a_labelled_artefact():
    ward = Ward(seed=8, beds=4)
    missing = np.isnan(ward.read(40_000)).any(axis=2)
    for bed, stream in enumerate(ward.streams):
        covered = np.zeros(40_000, dtype=bool)
        for episode in ward.episodes:
            if episode.stream == stream and episode.category is EpisodeCategory.ARTEFACT:
                covered |= episode.covers(np.arange(40_000.0))
        assert missing[bed].any()
        assert not (missing[bed] & ~covered).any()


def test_values_stay_in_adult_ward_ranges_without_episodes():
    values = quiet(1, beds=12).read(43_200)
    assert not np.isnan(values).any()
    lowest, highest = np.quantile(values, [0.001, 0.999], axis=(0, 1))
    assert (lowest > [45, 90, 6, 85, 45, 35.8]).all()
    assert (highest < [125, 100.1, 28, 170, 105, 38.2]).all()
    assert (values[..., SBP] > values[..., DBP]).all()


def test_values_have_the_monitors_resolution():
    values = quiet(1, beds=2).read(3600)
    np.testing.assert_array_equal(values[..., :TEMP], np.round(values[..., :TEMP]))
    np.testing.assert_array_equal(values[..., TEMP], np.round(values[..., TEMP], 1))


def test_heart_rate_rises_when_the_pressure_falls():
    ward = quiet(1, beds=20)
    values = ward.read(7200)
    smooth = values.reshape(20, 360, 20, 6).mean(
        axis=2
    )  # 20 s: longer than the lag of the reflex, shorter than the drift
    change = np.diff(smooth, axis=1)
    slopes = [np.polyfit(bed[:, SBP], bed[:, HR], 1)[0] for bed in change]
    assert np.median(slopes) < -0.1
    gains = [profile.baroreflex for profile in ward.profiles]
    assert np.corrcoef(gains, slopes)[0, 1] < -0.5  # the stronger the reflex, the steeper


def test_temperature_peaks_in_the_afternoon():
    day = quiet(1, beds=12, hour=0.0).read(86_400)[..., TEMP].mean(axis=0)
    assert day[16 * 3600 : 18 * 3600].mean() - day[4 * 3600 : 6 * 3600].mean() > 0.25


def change(kind, at_s, seed=0, channel_rows=30):
    """Mean change of each channel by an episode, `at_s` seconds after its onset."""
    episode = scripted(kind, seed=seed)
    plain = quiet(9).read(int(episode.end_s) + 600)[0]
    ill = quiet(9, script=[episode]).read(int(episode.end_s) + 600)[0]
    rows = slice(episode.onset_s + at_s, episode.onset_s + at_s + channel_rows)
    return (ill - plain)[rows].mean(axis=0)


def test_sepsis_drifts_for_hours():
    episode = scripted(EpisodeKind.SEPSIS)
    at_full = change(EpisodeKind.SEPSIS, int(episode.ramp_s) + 300)
    assert at_full[HR] > 15
    assert at_full[RR] > 5
    assert at_full[TEMP] > 0.6
    assert at_full[SBP] < -10
    assert at_full[SPO2] < 0
    early = change(EpisodeKind.SEPSIS, 300)
    assert np.abs(early).max() < 5


def test_haemorrhage_narrows_the_pulse_pressure_before_the_pressure_falls():
    episode = scripted(EpisodeKind.HAEMORRHAGE)
    half = change(EpisodeKind.HAEMORRHAGE, int(episode.ramp_s * 0.4))
    full = change(EpisodeKind.HAEMORRHAGE, int(episode.ramp_s) + 60)
    assert half[HR] > 3
    assert half[SBP] - half[DBP] < -3
    assert half[DBP] > 0.25 * full[DBP]  # much less than half of the fall
    assert full[SBP] < -25
    assert full[HR] > 25


def test_apnoea_stops_breathing_first_and_lowers_the_saturation_later():
    episode = scripted(EpisodeKind.APNOEA)
    delay_s = episode.size["spo2_delay_s"]
    before = change(EpisodeKind.APNOEA, int(delay_s) - 12, channel_rows=10)
    assert before[RR] < -2
    assert abs(before[SPO2]) < 0.2
    late = change(EpisodeKind.APNOEA, int(episode.ramp_s + episode.hold_s))
    assert late[SPO2] < -5


def test_tachyarrhythmia_is_sudden_and_irregular():
    episode = scripted(EpisodeKind.TACHYARRHYTHMIA)
    ill = quiet(9, script=[episode]).read(1200)[0]
    assert ill[630:1200, HR].mean() > 115
    assert np.diff(ill[630:1200, HR]).std() > 1.5 * np.diff(ill[:600, HR]).std()


@pytest.mark.parametrize("kind", ARTEFACTS)
def test_each_artefact_affects_the_intended_channels(kind):
    episode = scripted(kind, onset_s=600, seed=3)
    ticks = int(episode.end_s) + 300
    clean, disturbed = quiet(9).read(ticks)[0], quiet(9, script=[episode]).read(ticks)[0]
    during = episode.covers(np.arange(float(ticks)))
    differs = ~np.isclose(clean, disturbed, equal_nan=True)
    assert not differs[~during].any()
    touched = {
        EpisodeKind.MOTION: {HR, SPO2, RR},
        EpisodeKind.PROBE_OFF: {SPO2},
        EpisodeKind.FLAT_LINE: {int(episode.size.get("channel", 0))},
        EpisodeKind.CUFF_ERROR: {SBP, DBP},
        EpisodeKind.DROP_OUT: set(range(6)),
    }[kind]
    assert set(np.flatnonzero(differs.any(axis=0))) == touched


def test_a_detached_probe_gives_implausible_values_and_then_none():
    episode = scripted(EpisodeKind.PROBE_OFF, onset_s=100)
    shown = quiet(9, script=[episode]).read(int(episode.end_s))[0, :, SPO2]
    junk_s = int(np.ceil(episode.size["junk_s"]))
    assert not np.isnan(shown[100 : 100 + junk_s]).any()
    assert np.isnan(shown[100 + junk_s :]).all()


def test_a_flat_line_holds_over_the_hour():
    episode = Episode(EpisodeKind.FLAT_LINE, "ward/bed-1", 3500, 0.0, 300.0, 0.0, {"channel": 0.0})
    shown = quiet(9, script=[episode]).read(4000)[0, 3500:3800, HR]
    assert (shown == shown[0]).all()


def test_deteriorations_come_one_at_a_time_and_at_their_rate():
    ward = Ward(seed=1, beds=100, artefacts=False, activity=False, deteriorations=True)
    for _ in range(24):
        ward.read(3600)
    found = [episode for episode in ward.episodes if episode.kind in DETERIORATIONS]
    assert 5 <= len(found) <= 30  # 100 patient-days at 0.146 a day
    for stream in ward.streams:
        own = [episode for episode in found if episode.stream == stream]
        assert all(early.end_s <= late.onset_s for early, late in itertools.pairwise(own))


def test_a_script_for_an_unknown_bed_is_refused():
    with pytest.raises(ValueError, match=r"the script names ward/bed-9, but this ward has ward/bed-1"):
        Ward(seed=1, beds=1, script=[Episode(EpisodeKind.MOTION, "ward/bed-9", 0, 0.0, 5.0)])


def test_a_day_of_two_hundred_beds_is_feasible():
    start = time.perf_counter()
    Ward(seed=1, beds=20).read(21_600)
    assert time.perf_counter() - start < 6.0  # 200 beds and a day are 40 times as much; alone on a core it takes 0.5 s


def test_channels_are_named_in_order():
    assert CHANNELS == ("hr", "spo2", "rr", "sbp", "dbp", "temp")
