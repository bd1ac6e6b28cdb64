"""Simulator of a ward of patients, block by block, equal to the bit for equal seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.simulation.ward.episodes import ARTEFACTS, DETERIORATIONS, RATE, Episode, EpisodeKind, draw
from tocsin_training.simulation.ward.monitor import Monitor
from tocsin_training.simulation.ward.physiology import DAY_S, Body, Profile, live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

CHANNELS = ("hr", "spo2", "rr", "sbp", "dbp", "temp")
UNITS = ("/min", "%", "/min", "mm[Hg]", "mm[Hg]", "Cel")
BLOCK_TICKS = 3600  # an hour: long enough for numpy, short enough to wait for

# What a random stream is for. Each use of each block of each bed has its own, so that no draw shifts another.
_PROFILE, _BODY, _SHOWN, _ARTEFACTS, _DETERIORATIONS, _ACTIVITY = range(6)


class Patient:
    """One bed: a body, a monitor and their episodes."""

    def __init__(
        self,
        seed: int,
        bed: int,
        stream: str,
        day_s: float,
        kinds: Sequence[EpisodeKind],
        script: Iterable[Episode],
        profile: Callable[[np.random.Generator], Profile] = Profile.draw,
    ) -> None:
        """Create a patient.

        Args:
            seed: The ward's.
            bed: Index; with the seed it determines everything.
            stream: Its name.
            day_s: The time of day at tick 0, in seconds.
            kinds: Kinds of episodes that occur at the rates of `parameters`.
            script: Further episodes.
            profile: Draws the patient's constants.
        """
        self.stream = stream
        self._entropy = (seed, bed)
        self._day_s = day_s
        self._kinds = kinds
        self.episodes = [episode for episode in script if episode.stream == stream]
        self.profile = profile(self._random(_PROFILE, 0))
        self._body = Body.draw(self._random(_PROFILE, 1))
        self._monitor = Monitor()
        self._block = 0

    def _random(self, purpose: int, block: int) -> np.random.Generator:
        seed, bed = self._entropy
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(bed, purpose, block))))

    def block(self) -> NDArray[np.float64]:
        """Values (BLOCK_TICKS, C) of the next hour as the monitor shows them."""
        t_s = self._block * BLOCK_TICKS + np.arange(BLOCK_TICKS, dtype=np.float64)
        self._schedule(t_s)
        under_way = [episode for episode in self.episodes if episode.onset_s <= t_s[-1] and episode.end_s > t_s[0]]
        vitals = live(self.profile, self._body, t_s, self._day_s + t_s, under_way, self._random(_BODY, self._block))
        values = self._monitor.show(vitals, t_s, under_way, self._random(_SHOWN, self._block))
        self._block += 1
        return values

    def _schedule(self, t_s: NDArray[np.float64]) -> None:
        """Draw the episodes that begin in this block."""
        for purpose, kinds in (
            (_ARTEFACTS, ARTEFACTS),
            (_DETERIORATIONS, DETERIORATIONS),
            (_ACTIVITY, (EpisodeKind.ACTIVITY,)),
        ):
            rng = self._random(purpose, self._block)
            for kind in kinds:
                count = int(rng.poisson(RATE[kind].low * len(t_s) / DAY_S))
                drawn = [draw(kind, self.stream, int(rng.choice(t_s)), rng) for _ in range(count)]
                if kind in self._kinds:
                    self.episodes.extend(episode for episode in drawn if self._may_begin(episode))

    def _may_begin(self, new: Episode) -> bool:
        """Whether it is an artefact, or the only deterioration at its time."""
        if new.kind not in DETERIORATIONS:
            return True
        return not any(
            old.kind in DETERIORATIONS and old.onset_s < new.end_s and new.onset_s < old.end_s for old in self.episodes
        )


class Ward:
    """Patients side by side, at ticks of one second.

    The same seed gives the same bits; a bed's stream doesn't depend on how many other beds there are, nor on how it
    is read; and a bed with and without artefacts or deteriorations has the same body underneath.

    >>> ward = Ward(seed=1, beds=2)
    >>> ward.read(60).shape
    (2, 60, 6)
    >>> ward.streams
    ('ward/bed-1', 'ward/bed-2')
    """

    def __init__(  # noqa: PLR0913  (passed by name)
        self,
        seed: int,
        beds: int,
        *,
        name: str = "ward",
        hour: float = 9.0,
        artefacts: bool = True,
        deteriorations: bool = False,
        activity: bool = True,
        script: Iterable[Episode] = (),
        profile: Callable[[np.random.Generator], Profile] = Profile.draw,
    ) -> None:
        """Create a ward.

        Args:
            seed: Determines everything.
            beds: Number of patients.
            name: The first part of the streams' names.
            hour: The time of day at tick 0.
            artefacts: Whether measurements fail, at the rates of `parameters`.
            deteriorations: Whether patients deteriorate, at the rates of `parameters`.
            activity: Whether patients move about, at the rate of `parameters`.
            script: Further episodes, each of a named stream.
            profile: Draws each patient's constants.
        """
        kinds = (
            *(ARTEFACTS if artefacts else ()),
            *(DETERIORATIONS if deteriorations else ()),
            *((EpisodeKind.ACTIVITY,) if activity else ()),
        )
        script = list(script)
        self.streams = tuple(f"{name}/bed-{bed + 1}" for bed in range(beds))
        unknown = sorted({episode.stream for episode in script} - set(self.streams))
        if unknown:
            raise ValueError(f"the script names {', '.join(unknown)}, but this ward has {', '.join(self.streams)}")
        self._patients = [
            Patient(seed, bed, stream, hour * 3600.0, kinds, script, profile) for bed, stream in enumerate(self.streams)
        ]
        self._ahead: NDArray[np.float64] = np.empty((beds, 0, len(CHANNELS)))  # computed, not yet read
        self.tick = 0

    @property
    def episodes(self) -> list[Episode]:
        """Episodes that have begun, bed by bed."""
        return [
            episode
            for patient in self._patients
            for episode in sorted(patient.episodes, key=lambda episode: episode.onset_s)
            if episode.onset_s < self.tick
        ]

    @property
    def profiles(self) -> list[Profile]:
        """Each bed's constants."""
        return [patient.profile for patient in self._patients]

    def read(self, ticks: int) -> NDArray[np.float64]:
        """Read on where the last call ended.

        Args:
            ticks: Number of ticks, T.

        Returns:
            (beds, T, C), NaN where nothing was measured.
        """
        parts, have = [self._ahead], self._ahead.shape[1]
        while have < ticks:
            parts.append(np.stack([patient.block() for patient in self._patients]))
            have += BLOCK_TICKS
        ahead = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        self._ahead = ahead[:, ticks:]
        self.tick += ticks
        return ahead[:, :ticks]
