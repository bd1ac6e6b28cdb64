"""Physiology of a simulated patient: six coupled vital signs, block by block.

circadian rhythm ─┐
slow wander ──────┼─▶ mean pressure ──▶ baroreflex (lagged) ──▶ heart rate
breathing phase ──┤        │                                        ▲
episodes ─────────┘        ▼                                        │
                    systolic, diastolic            fever, sinus arrhythmia, wander
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.simulation.ward import parameters as p
from tocsin_training.simulation.ward.ar1 import follow, recur
from tocsin_training.simulation.ward.episodes import Episode, EpisodeCategory, EpisodeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WANDERS = (
    p.WANDER_HR,
    p.WANDER_HR_FAST,
    p.WANDER_MAP,
    p.WANDER_MAP_FAST,
    p.WANDER_PULSE_PRESSURE,
    p.WANDER_RR,
    p.WANDER_RR_FAST,
    p.WANDER_SPO2,
    p.WANDER_TEMP,
    p.WANDER_ARRHYTHMIA,
)
_SD = np.array([wander.sd for wander in WANDERS])
_DECAY = np.array([np.exp(-1.0 / wander.tau_s) for wander in WANDERS])
_KICK = _SD * np.sqrt(1.0 - _DECAY * _DECAY)

DAY_S = 86_400.0
MS_PER_MIN = 60_000.0


@dataclass(frozen=True, slots=True)
class Profile:
    """One patient's constants.

    Attributes:
        hr: Baseline heart rate, /min.
        spo2: Baseline oxygen saturation, %.
        rr: Baseline respiratory rate, /min.
        mean_pressure: Baseline mean arterial pressure, mmHg.
        pulse_pressure: Baseline systolic less diastolic pressure, mmHg.
        temp: Baseline temperature, Cel.
        baroreflex: Gain of the baroreflex, /min/mmHg.
        baroreflex_lag_s: Its lag.
        circadian: Amplitudes of hr, mean pressure, rr, temp.
        circadian_peak_s: Time of day of their peak.
        sinus_hr: Amplitude of the respiratory sinus arrhythmia, /min.
        breathing_map: Amplitude of breathing in the pressure, mmHg.
    """

    hr: float
    spo2: float
    rr: float
    mean_pressure: float
    pulse_pressure: float
    temp: float
    baroreflex: float
    baroreflex_lag_s: float
    circadian: tuple[float, float, float, float]
    circadian_peak_s: float
    sinus_hr: float
    breathing_map: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Profile:
        """Draw a patient."""
        hr = p.BASELINE_HR.draw(rng)
        sbp, dbp = p.BASELINE_SBP.draw(rng), p.BASELINE_DBP.draw(rng)
        return cls(
            hr=hr,
            spo2=p.BASELINE_SPO2.draw(rng),
            rr=p.BASELINE_RR.draw(rng),
            mean_pressure=dbp + (sbp - dbp) / 3.0,
            pulse_pressure=sbp - dbp,
            temp=p.BASELINE_TEMP.draw(rng),
            # d(60000/RR) = -60000/RR^2 dRR: sensitivity in ms/mmHg becomes /min/mmHg at this heart rate
            baroreflex=p.BAROREFLEX.draw(rng) * hr * hr / MS_PER_MIN,
            baroreflex_lag_s=p.BAROREFLEX_LAG_S.draw(rng),
            circadian=(
                p.CIRCADIAN_HR.draw(rng),
                p.CIRCADIAN_MAP.draw(rng),
                p.CIRCADIAN_RR.draw(rng),
                p.CIRCADIAN_TEMP.draw(rng),
            ),
            circadian_peak_s=p.CIRCADIAN_PEAK_H.draw(rng) * 3600.0,
            sinus_hr=p.RESPIRATORY_SINUS_HR.draw(rng),
            breathing_map=p.RESPIRATORY_MAP.draw(rng),
        )


@dataclass(slots=True)
class Body:
    """A patient's state from block to block.

    Attributes:
        wander: (K,), the Ornstein-Uhlenbeck processes just before the next tick.
        phase: Of the breathing, in cycles.
        reflex: The baroreflex' present part of the heart rate, /min.
    """

    wander: NDArray[np.float64]
    phase: float
    reflex: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Body:
        """Draw a state from the stationary distribution."""
        return cls(wander=rng.standard_normal(len(WANDERS)) * _SD, phase=float(rng.uniform()), reflex=0.0)


def live(
    profile: Profile,
    body: Body,
    t_s: NDArray[np.float64],
    day_s: NDArray[np.float64],
    episodes: Sequence[Episode],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Simulate one block; `body` is changed in place.

    Args:
        profile: The patient's constants.
        body: The patient's state.
        t_s: (T,), seconds since the ward's tick 0.
        day_s: (T,), the time of day.
        episodes: Those in progress in this block; artefacts are ignored.
        rng: For this block of this patient.

    Returns:
        (6, T): hr, spo2, rr, sbp, dbp, temp, in their units.
    """
    kicks = rng.standard_normal((len(WANDERS), len(t_s))) * _KICK[:, None]
    wander = recur(kicks, _DECAY, body.wander)
    body.wander = wander[:, -1].copy()
    hr_slow, hr_fast, map_slow, map_fast, pulse, rr_slow, rr_fast, saturation, warmth, irregular = wander

    daily = np.cos(2.0 * np.pi * (day_s - profile.circadian_peak_s) / DAY_S)  # (T,)
    daily_hr, daily_map, daily_rr, daily_temp = (amplitude * daily for amplitude in profile.circadian)
    shift = _shift(episodes, t_s)
    fever = shift["temp"]

    breathing = _breathing(episodes, t_s)
    rr = profile.rr + daily_rr + rr_slow + rr_fast + p.FEVER_RR.low * fever + shift["rr"]
    rr = np.maximum(rr, 4.0) * breathing
    cycles = body.phase + np.cumsum(rr) / 60.0
    body.phase = float(cycles[-1] % 1.0)
    breath = np.sin(2.0 * np.pi * cycles)

    strain = map_slow + map_fast + shift["map"]  # (T,) mmHg, what the baroreflex works against
    pressure = profile.mean_pressure + daily_map + strain + profile.breathing_map * breath
    reflex = follow(
        -profile.baroreflex * strain[None, :], np.array([profile.baroreflex_lag_s]), np.array([body.reflex])
    )
    body.reflex = float(reflex[0, -1])

    hr = profile.hr + daily_hr + hr_slow + hr_fast + reflex[0] + profile.sinus_hr * breath
    hr = hr + p.FEVER_HR.low * fever + shift["hr"]
    hr = _arrhythmia(episodes, t_s, np.maximum(hr, 30.0), irregular)

    pulse_pressure = np.maximum(profile.pulse_pressure + pulse + shift["pulse_pressure"], 12.0)
    spo2 = np.minimum(profile.spo2 + saturation + shift["spo2"], 100.0) - _desaturation(episodes, t_s, profile.spo2)
    temp = profile.temp + daily_temp + warmth + fever
    return np.stack([
        hr, spo2, rr, pressure + 2.0 / 3.0 * pulse_pressure, pressure - pulse_pressure / 3.0, temp,
    ])  # fmt: skip


def _shift(episodes: Sequence[Episode], t_s: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Sum of the episodes' shifts of each hidden quantity, (T,) each."""
    shift = {name: np.zeros_like(t_s) for name in ("hr", "rr", "map", "pulse_pressure", "temp", "spo2")}
    for episode in episodes:
        if episode.category is EpisodeCategory.ARTEFACT:
            continue
        course = episode.course(t_s)
        for name in shift.keys() & episode.size.keys():
            # Vessels hold the pressure up while blood is lost, until they can't: the fall lags behind the loss.
            held_up = episode.kind is EpisodeKind.HAEMORRHAGE and name == "map"
            shift[name] = shift[name] + episode.size[name] * (course * course if held_up else course)
    return shift


def _breathing(episodes: Sequence[Episode], t_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share (T,) of the breaths that are taken."""
    share = np.ones_like(t_s)
    for episode in episodes:
        if episode.kind is EpisodeKind.APNOEA:
            share = share * (1.0 - episode.course(t_s))
    return share


def _desaturation(episodes: Sequence[Episode], t_s: NDArray[np.float64], baseline: float) -> NDArray[np.float64]:
    """Fall of the saturation (T,), in %: delayed after the breathing by the circulation."""
    fall = np.zeros_like(t_s)
    for episode in episodes:
        if episode.kind is not EpisodeKind.APNOEA:
            continue
        since_s = t_s - episode.onset_s - episode.size["spo2_delay_s"]
        lasting_s = episode.ramp_s + episode.hold_s
        deepest = max(baseline - episode.size["spo2_lowest"], 0.0)
        falling = np.minimum(episode.size["spo2_slope"] * np.clip(since_s, 0.0, lasting_s), deepest)
        fall = fall + falling * np.exp(-np.maximum(since_s - lasting_s, 0.0) / episode.recovery_s)
    return fall


def _arrhythmia(
    episodes: Sequence[Episode], t_s: NDArray[np.float64], hr: NDArray[np.float64], irregular: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Heart rate (T,) with its tachyarrhythmias."""
    for episode in episodes:
        if episode.kind is EpisodeKind.TACHYARRHYTHMIA:
            share = episode.course(t_s)
            hr = hr + share * (np.maximum(episode.size["hr_to"] - hr, 20.0) + irregular)
    return hr
