"""Bedside monitor: averaging, noise, artefacts and rounding of a patient's vital signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.simulation.ward import parameters as p
from tocsin_training.simulation.ward.ar1 import follow
from tocsin_training.simulation.ward.episodes import Episode, EpisodeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HR, SPO2, RR, SBP, DBP, TEMP = range(6)
_AVERAGING_S = np.array([figure.low for figure in p.AVERAGING_S])
_NOISE_SD = np.array([figure.low for figure in p.NOISE_SD])
_RESOLUTION = np.array(p.RESOLUTION)
_FLOOR = np.array(p.FLOOR)
_CEILING = np.array(p.CEILING)


class Monitor:
    """One bed's monitor, with its state from block to block."""

    def __init__(self) -> None:
        self._average: NDArray[np.float64] | None = None  # (C,)
        self._stuck: dict[int, float] = {}  # onset of a flat line → the value it shows

    def show(
        self,
        vitals: NDArray[np.float64],
        t_s: NDArray[np.float64],
        episodes: Sequence[Episode],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Measure one block.

        Args:
            vitals: (C, T), the patient's own.
            t_s: (T,), seconds since the ward's tick 0.
            episodes: Those in progress in this block; the monitor applies the artefacts.
            rng: For this block of this bed. The same count of numbers is drawn whatever the episodes, so that a bed
                with and without an episode differs by that episode alone.

        Returns:
            (T, C) at the monitor's resolution, NaN where nothing is measured.
        """
        noise = rng.standard_normal((len(_NOISE_SD), len(t_s)))
        jitter = rng.standard_normal((3, len(t_s)))
        before = vitals[:, 0] if self._average is None else self._average
        average = follow(vitals, _AVERAGING_S, before)
        self._average = average[:, -1].copy()
        values = average + noise * _NOISE_SD[:, None]

        artefacts = [episode for episode in episodes if episode.covers(t_s).any()]
        for episode in artefacts:
            if episode.kind is EpisodeKind.MOTION:
                _move(values, episode, episode.covers(t_s), jitter)
            elif episode.kind is EpisodeKind.CUFF_ERROR:
                _misread_cuff(values, episode, t_s)
        values = np.clip(values, _FLOOR[:, None], _CEILING[:, None])
        values = np.round(values / _RESOLUTION[:, None]) * _RESOLUTION[:, None]
        for episode in artefacts:
            if episode.kind is EpisodeKind.FLAT_LINE:
                self._stick(values, episode, t_s)
            elif episode.kind is EpisodeKind.PROBE_OFF:
                _lose_probe(values, episode, t_s, jitter[0])
        for episode in artefacts:
            if episode.kind is EpisodeKind.DROP_OUT:
                values[:, episode.covers(t_s)] = np.nan
        return np.asarray(np.round(values.T, 1))  # the product above leaves 37.2 as 37.2000...03

    def _stick(self, values: NDArray[np.float64], episode: Episode, t_s: NDArray[np.float64]) -> None:
        channel, under_way = int(episode.size["channel"]), episode.covers(t_s)
        if episode.onset_s not in self._stuck:
            self._stuck[episode.onset_s] = float(values[channel, np.argmax(under_way)])
        values[channel, under_way] = self._stuck[episode.onset_s]


def _move(
    values: NDArray[np.float64], episode: Episode, under_way: NDArray[np.bool_], jitter: NDArray[np.float64]
) -> None:
    """Add motion artefacts to hr, spo2 and rr."""
    size = episode.size
    values[HR, under_way] += size["hr_sd"] * jitter[0, under_way]
    values[SPO2, under_way] += size["spo2"] + size["spo2_sd"] * jitter[1, under_way]
    values[RR, under_way] += size["rr_sd"] * np.abs(jitter[2, under_way])


def _misread_cuff(values: NDArray[np.float64], episode: Episode, t_s: NDArray[np.float64]) -> None:
    """Shift both pressures by the hand's height; the calibration that corrects it is a gap."""
    since_s = t_s - episode.onset_s
    shifted = (since_s >= 0) & (since_s < episode.size["offset_s"])
    values[SBP : DBP + 1, shifted] += episode.size["offset"]
    values[SBP : DBP + 1, episode.covers(t_s) & ~shifted] = np.nan


def _lose_probe(
    values: NDArray[np.float64], episode: Episode, t_s: NDArray[np.float64], jitter: NDArray[np.float64]
) -> None:
    """Random values until the monitor detects that the probe is off, then none."""
    under_way = episode.covers(t_s)
    junk = under_way & (t_s - episode.onset_s < episode.size["junk_s"])
    values[SPO2, junk] = np.clip(np.round(episode.size["junk_spo2"] + 2.0 * jitter[junk]), 0.0, 100.0)
    values[SPO2, under_way & ~junk] = np.nan
