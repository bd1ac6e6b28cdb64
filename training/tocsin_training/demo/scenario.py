"""Scenarios of the demonstration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.simulation.ward.episodes import ARTEFACTS, Episode, EpisodeKind, draw
from tocsin_training.simulation.ward.simulator import Ward

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tocsin_training.simulation.ward.physiology import Profile

ONSET_S = 17
"""When the scripted trouble begins: after the model's warm-up, and soon enough for a demonstration of a minute."""


class Scenario(StrEnum):
    """A named script."""

    DETERIORATION = "deterioration"  # one bed bleeds fast, one loses its SpO2 probe
    APNOEA = "apnoea"
    TACHYARRHYTHMIA = "tachyarrhythmia"
    ARTEFACTS = "artefacts"  # each kind in a bed of its own, without deterioration
    QUIET = "quiet"  # nothing at all
    NATURAL = "natural"  # everything at the rates of the simulator


@dataclass(slots=True)
class ScriptedWard:
    """A ward and its script.

    Attributes:
        ward: To be read.
        twin: The same ward, to look ahead in: its course after the demonstration has ended.
        script: The scripted episodes.
    """

    ward: Ward
    twin: Ward
    script: tuple[Episode, ...]
    _read: NDArray[np.float64] | None = None

    def seen(self, ticks: int) -> NDArray[np.float64]:
        """Values of the ward from its beginning, (beds, at least `ticks`, C), without advancing `ward`."""
        have = 0 if self._read is None else self._read.shape[1]
        if self._read is None:
            self._read = self.twin.read(ticks)
        elif have < ticks:
            self._read = np.concatenate([self._read, self.twin.read(ticks - have)], axis=1)
        return self._read


def script_ward(scenario: Scenario, seed: int, beds: int) -> ScriptedWard:
    """Open a ward on which a scenario takes place."""
    script = _SCRIPT[scenario](seed, beds)
    natural = scenario is Scenario.NATURAL

    def ward() -> Ward:
        return Ward(seed, beds, artefacts=natural, activity=natural, deteriorations=natural, script=script)

    return ScriptedWard(ward(), ward(), script)


def _bed(number: int, beds: int) -> str:
    return f"ward/bed-{min(number, beds)}"


def _deterioration(seed: int, beds: int) -> tuple[Episode, ...]:
    # A brisk bleeding, the pulse pressure narrowing first: what takes ten minutes on a ward takes one here, so that a
    # minute shows it. The sizes are within `parameters`; the bed is the one whose vital signs lie farthest within
    # fixed limits, where those are blind longest. See docs/ward-lead.md for all patients.
    size = {"hr": 24.0, "rr": 14.0, "map": -30.0, "pulse_pressure": -22.0}
    room = [_room(profile) for profile in Ward(seed, beds).profiles]
    chosen = int(np.argmax(room))
    bleeding = Episode(EpisodeKind.HAEMORRHAGE, _bed(chosen + 1, beds), ONSET_S, 55.0, 600.0, 300.0, size)
    if beds == 1:
        return (bleeding,)
    other = (chosen + beds // 2) % beds
    off = Episode(
        EpisodeKind.PROBE_OFF, _bed(other + 1, beds), ONSET_S, 0.0, 1200.0, 0.0, {"junk_s": 4.0, "junk_spo2": 80.0}
    )
    return bleeding, off


def _room(profile: Profile) -> float:
    """Distance of a patient's baseline to the limits that a bleeding crosses, in standard deviations of patients."""
    sbp = profile.mean_pressure + 2.0 / 3.0 * profile.pulse_pressure
    return min((120.0 - profile.hr) / 10.0, (sbp - 90.0) / 10.0, (sbp - profile.pulse_pressure - 50.0) / 5.0)


def _one(kind: EpisodeKind) -> Callable[[int, int], tuple[Episode, ...]]:
    def script(seed: int, beds: int) -> tuple[Episode, ...]:
        return (draw(kind, _bed(3, beds), ONSET_S, np.random.default_rng(seed)),)

    return script


def _artefacts(seed: int, beds: int) -> tuple[Episode, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        draw(kind, _bed(number, beds), ONSET_S + 5 * number, rng) for number, kind in enumerate(ARTEFACTS, start=1)
    )


def _nothing(_seed: int, _beds: int) -> tuple[Episode, ...]:
    return ()


_SCRIPT: dict[Scenario, Callable[[int, int], tuple[Episode, ...]]] = {
    Scenario.DETERIORATION: _deterioration,
    Scenario.APNOEA: _one(EpisodeKind.APNOEA),
    Scenario.TACHYARRHYTHMIA: _one(EpisodeKind.TACHYARRHYTHMIA),
    Scenario.ARTEFACTS: _artefacts,
    Scenario.QUIET: _nothing,
    Scenario.NATURAL: _nothing,
}
