"""Episodes: labelled deteriorations and artefacts of simulated patients, and their course."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.simulation.ward import parameters as p

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


class EpisodeCategory(StrEnum):
    """Category of an episode."""

    DETERIORATION = "deterioration"  # a physiological alarm
    ARTEFACT = "artefact"  # a technical alarm, or none; never a physiological one
    BENIGN = "benign"  # no alarm


class EpisodeKind(StrEnum):
    """Kind of an episode."""

    SEPSIS = "sepsis"
    HAEMORRHAGE = "haemorrhage"
    APNOEA = "apnoea"
    TACHYARRHYTHMIA = "tachyarrhythmia"
    ACTIVITY = "activity"
    MOTION = "motion"
    PROBE_OFF = "probe-off"
    FLAT_LINE = "flat-line"
    CUFF_ERROR = "cuff-error"
    DROP_OUT = "drop-out"


DETERIORATIONS = (EpisodeKind.SEPSIS, EpisodeKind.HAEMORRHAGE, EpisodeKind.APNOEA, EpisodeKind.TACHYARRHYTHMIA)
ARTEFACTS = (
    EpisodeKind.MOTION,
    EpisodeKind.PROBE_OFF,
    EpisodeKind.FLAT_LINE,
    EpisodeKind.CUFF_ERROR,
    EpisodeKind.DROP_OUT,
)

RATE = {
    EpisodeKind.SEPSIS: p.RATE_SEPSIS,
    EpisodeKind.HAEMORRHAGE: p.RATE_HAEMORRHAGE,
    EpisodeKind.APNOEA: p.RATE_APNOEA,
    EpisodeKind.TACHYARRHYTHMIA: p.RATE_TACHYARRHYTHMIA,
    EpisodeKind.ACTIVITY: p.RATE_ACTIVITY,
    EpisodeKind.MOTION: p.RATE_MOTION,
    EpisodeKind.PROBE_OFF: p.RATE_PROBE_OFF,
    EpisodeKind.FLAT_LINE: p.RATE_FLAT_LINE,
    EpisodeKind.CUFF_ERROR: p.RATE_CUFF_ERROR,
    EpisodeKind.DROP_OUT: p.RATE_DROP_OUT,
}


@dataclass(frozen=True, slots=True)
class Episode:
    """One labelled episode in one stream.

    It grows from 0 to its full size over `ramp_s`, holds for `hold_s`, and decays with the time constant `recovery_s`.

    Attributes:
        kind: Of the episode.
        stream: Name of the stream.
        onset_s: Beginning, in seconds since the ward's tick 0.
        ramp_s: Duration of growth.
        hold_s: Duration at full size.
        recovery_s: Time constant of the decay; 0 for at once.
        size: Its magnitudes, by name; see `_DRAW`.
    """

    kind: EpisodeKind
    stream: str
    onset_s: int
    ramp_s: float
    hold_s: float
    recovery_s: float = 0.0
    size: Mapping[str, float] = field(default_factory=dict)

    @property
    def category(self) -> EpisodeCategory:
        """Deterioration, artefact or benign."""
        if self.kind in DETERIORATIONS:
            return EpisodeCategory.DETERIORATION
        return EpisodeCategory.ARTEFACT if self.kind in ARTEFACTS else EpisodeCategory.BENIGN

    @property
    def full_s(self) -> float:
        """Time at which it reaches its full size."""
        return self.onset_s + self.ramp_s

    @property
    def relief_s(self) -> float:
        """Time at which it begins to decay: for a deterioration, when treatment takes effect."""
        return self.onset_s + self.ramp_s + self.hold_s

    @property
    def end_s(self) -> float:
        """Time at which less than 2 % of it is left."""
        return self.relief_s + 4.0 * self.recovery_s

    def covers(self, t_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether it is in progress at each time (T,)."""
        return (t_s >= self.onset_s) & (t_s < self.end_s)

    def course(self, t_s: NDArray[np.float64], delay_s: float = 0.0) -> NDArray[np.float64]:
        """Its size at each time (T,), 0 to 1, `delay_s` late."""
        since_s = t_s - self.onset_s - delay_s
        rise = np.clip(since_s / self.ramp_s, 0.0, 1.0) if self.ramp_s > 0 else (since_s >= 0).astype(np.float64)
        over_s = np.maximum(since_s - self.ramp_s - self.hold_s, 0.0)
        if self.recovery_s > 0:
            return np.asarray(rise * np.exp(-over_s / self.recovery_s))
        return np.asarray(np.where(since_s >= self.ramp_s + self.hold_s, 0.0, rise))


def draw(kind: EpisodeKind, stream: str, onset_s: int, rng: np.random.Generator) -> Episode:
    """Draw an episode of a kind."""
    ramp_s, hold_s, recovery_s, size = _DRAW[kind](rng)
    return Episode(kind, stream, onset_s, ramp_s, hold_s, recovery_s, size)


_Drawn = tuple[float, float, float, dict[str, float]]


def _sepsis(rng: np.random.Generator) -> _Drawn:
    size = {
        "hr": p.SEPSIS_HR.draw(rng),
        "rr": p.SEPSIS_RR.draw(rng),
        "map": p.SEPSIS_MAP.draw(rng),
        "temp": p.SEPSIS_TEMP.draw(rng),
        "spo2": p.SEPSIS_SPO2.draw(rng),
    }
    return p.SEPSIS_RAMP_S.draw(rng), p.SEPSIS_HOLD_S.draw(rng), p.RECOVERY_S.draw(rng), size


def _haemorrhage(rng: np.random.Generator) -> _Drawn:
    size = {
        "hr": p.HAEMORRHAGE_HR.draw(rng),
        "rr": p.HAEMORRHAGE_RR.draw(rng),
        "map": p.HAEMORRHAGE_MAP.draw(rng),
        "pulse_pressure": p.HAEMORRHAGE_PULSE_PRESSURE.draw(rng),
    }
    return p.HAEMORRHAGE_RAMP_S.draw(rng), p.HAEMORRHAGE_HOLD_S.draw(rng), p.RECOVERY_S.draw(rng), size


def _apnoea(rng: np.random.Generator) -> _Drawn:
    size = {
        "spo2_delay_s": p.APNOEA_SPO2_DELAY_S.draw(rng),
        "spo2_slope": p.APNOEA_SPO2_SLOPE.draw(rng),
        "spo2_lowest": p.APNOEA_SPO2_LOWEST.draw(rng),
    }
    return p.APNOEA_RAMP_S.draw(rng), p.APNOEA_HOLD_S.draw(rng), 15.0, size


def _tachyarrhythmia(rng: np.random.Generator) -> _Drawn:
    size = {"hr_to": p.TACHYARRHYTHMIA_HR.draw(rng), "map": p.TACHYARRHYTHMIA_MAP.draw(rng)}
    return p.TACHYARRHYTHMIA_RAMP_S.draw(rng), p.TACHYARRHYTHMIA_HOLD_S.draw(rng), 5.0, size


def _activity(rng: np.random.Generator) -> _Drawn:
    size = {"hr": p.ACTIVITY_HR.draw(rng), "rr": p.ACTIVITY_RR.draw(rng), "map": p.ACTIVITY_MAP.draw(rng)}
    return p.ACTIVITY_RAMP_S.draw(rng), p.ACTIVITY_HOLD_S.draw(rng), p.ACTIVITY_RECOVERY_S.draw(rng), size


def _motion(rng: np.random.Generator) -> _Drawn:
    lasts_s = min(float(rng.lognormal(np.log(p.MOTION_MEDIAN_S), p.MOTION_LOG_SD)), p.MOTION_LONGEST_S)
    size = {
        "hr_sd": p.MOTION_HR_SD.draw(rng),
        "spo2": p.MOTION_SPO2_BIAS.draw(rng),
        "spo2_sd": p.MOTION_SPO2_SD.draw(rng),
        "rr_sd": p.MOTION_RR_SD.draw(rng),
    }
    return 0.0, max(lasts_s, 1.0), 0.0, size


def _probe_off(rng: np.random.Generator) -> _Drawn:
    size = {"junk_s": p.PROBE_OFF_JUNK_S.draw(rng), "junk_spo2": p.PROBE_OFF_JUNK_SPO2.draw(rng)}
    return 0.0, p.PROBE_OFF_S.draw(rng), 0.0, size


def _flat_line(rng: np.random.Generator) -> _Drawn:
    return 0.0, p.FLAT_LINE_S.draw(rng), 0.0, {"channel": float(rng.integers(6))}


def _cuff_error(rng: np.random.Generator) -> _Drawn:
    offset_mmhg = p.CUFF_HAND_CM.draw(rng) * p.CUFF_PER_CM.draw(rng)
    offset_s, calibration_s = p.CUFF_OFFSET_S.draw(rng), p.CUFF_CALIBRATION_S.draw(rng)
    return 0.0, offset_s + calibration_s, 0.0, {"offset": offset_mmhg, "offset_s": offset_s}


def _drop_out(rng: np.random.Generator) -> _Drawn:
    return 0.0, max(float(rng.exponential(p.DROP_OUT_MEAN_S)), p.DROP_OUT_SHORTEST_S), 0.0, {}


_DRAW: dict[EpisodeKind, Callable[[np.random.Generator], _Drawn]] = {
    EpisodeKind.SEPSIS: _sepsis,
    EpisodeKind.HAEMORRHAGE: _haemorrhage,
    EpisodeKind.APNOEA: _apnoea,
    EpisodeKind.TACHYARRHYTHMIA: _tachyarrhythmia,
    EpisodeKind.ACTIVITY: _activity,
    EpisodeKind.MOTION: _motion,
    EpisodeKind.PROBE_OFF: _probe_off,
    EpisodeKind.FLAT_LINE: _flat_line,
    EpisodeKind.CUFF_ERROR: _cuff_error,
    EpisodeKind.DROP_OUT: _drop_out,
}
