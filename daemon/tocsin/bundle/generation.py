"""Generation of streams by a bundle of task `generate`: each frame is drawn and fed back as the next x.

profile ─▶ init.onnx ─▶ state ─▶ model.onnx ─▶ mean, scale ─▶ draw ─▶ frame ─┐
                          ▲          ▲                                       │
                          └── state ─┴───────────────── x ◀──────────────────┘
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import ChannelKind, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin.bundle.manifest import Manifest

_S_PER_H = 3600


class GenerationError(Exception):
    """A bundle generates no streams, or a profile is not legal; the text has the remedy."""


@dataclass(frozen=True, slots=True)
class Generated:
    """Generated streams, N of T ticks.

    Attributes:
        channels: Names of the C measured channels.
        values: (N, T, C) float32, in the channels' units.
    """

    channels: tuple[str, ...]
    values: NDArray[np.float32]


def generate(bundle: Bundle, profile: Mapping[str, float], streams: int, ticks: int, seed: int) -> Generated:
    """Draw streams that begin with the same profile.

    The same seed gives the same streams, and a stream doesn't depend on the number of others.

    Args:
        bundle: Bundle of task `generate`.
        profile: Values of its static channels, in their units.
        streams: Number of streams, N.
        ticks: Length of the streams, T.
        seed: Seed of the random numbers.

    Raises:
        GenerationError: The bundle is of another task, or the profile is not legal.
    """
    manifest, step = bundle.manifest, bundle.model.step
    if bundle.initial_state is None or manifest.profile is None:
        raise GenerationError(
            f"bundle {manifest.name}/{manifest.version} is of task {manifest.task}: it makes no streams; "
            f"give one of task {Task.GENERATE}"
        )
    start = np.array([checked(manifest, profile)] * streams, dtype=np.float32)  # (N, P)
    kinds = [channel.kind for channel in manifest.channels]
    measured = np.array([kind is ChannelKind.READING for kind in kinds])  # (C,)
    clock = np.array([kind is ChannelKind.CLOCK for kind in kinds])
    low = np.array([channel.low for channel in manifest.channels])
    high = np.array([channel.high for channel in manifest.channels])
    random = [np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(streams)]

    x = np.zeros((streams, len(kinds)), dtype=np.float32)
    x[:, [[c.name for c in manifest.channels].index(name) for name in manifest.profile]] = start
    # Before the first frame nothing is measured; the expectation then is that of the first frame.
    mask = np.tile(np.where(measured, 0, 1).astype(np.float32), (streams, 1))
    delta = np.zeros_like(x)
    state = bundle.initial_state(start)
    values = np.empty((streams, ticks, int(measured.sum())), dtype=np.float32)
    for tick in range(ticks):
        result = step(x, mask, delta, state)
        mean, scale = result.following
        drawn = np.clip(mean + scale * _noise(random, manifest), low, high).astype(np.float32)
        x[:, measured] = drawn[:, measured]
        x[:, clock] = tick * manifest.period_s / _S_PER_H
        mask[:] = 1
        delta[:, measured] = min(manifest.period_s, manifest.delta_cap_s) if tick else 0
        values[:, tick] = x[:, measured]
        state = result.state
    return Generated(tuple(c.name for c in manifest.channels if c.kind is ChannelKind.READING), values)


def _noise(random: list[np.random.Generator], manifest: Manifest) -> NDArray[np.float64]:
    """(N, C) standard draws, normal or Student-t by the manifest."""
    if manifest.df is None:
        return np.stack([rng.standard_normal(len(manifest.channels)) for rng in random])
    return np.stack([rng.standard_t(manifest.df) for rng in random])


def checked(manifest: Manifest, profile: Mapping[str, float]) -> list[float]:
    """Values of a profile in the order of `init.onnx`.

    Raises:
        GenerationError: A value is missing, unknown or out of its range.
    """
    channel = {channel.name: channel for channel in manifest.channels}
    wanted = manifest.profile or ()
    legal = ", ".join(f"{name} {channel[name].low:g} to {channel[name].high:g} {channel[name].unit}" for name in wanted)
    if strange := sorted(set(profile) - set(wanted)):
        raise GenerationError(f"profile: {manifest.name} takes no {', '.join(strange)} (it takes: {legal})")
    if missing := [name for name in wanted if name not in profile]:
        raise GenerationError(f"profile: {', '.join(missing)} missing (needed: {legal})")
    for name in wanted:
        if not channel[name].low <= profile[name] <= channel[name].high:
            raise GenerationError(f"profile: {name} {profile[name]:g} is out of range (legal: {legal})")
    return [float(profile[name]) for name in wanted]
