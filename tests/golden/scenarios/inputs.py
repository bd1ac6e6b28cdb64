"""Times, signals and changed configurations that several scenarios share."""

from __future__ import annotations

from typing import Any

import numpy as np
from harness.daemon import S

T0 = 1_764_000_000 * S
MS = 1_000_000
MINUTE = 60 * S
HOUR = 3600 * S


def merged(into: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with changed values, at any depth."""
    result = dict(into)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def wander(rng: np.random.Generator, length: int, spread: float, memory: float) -> np.ndarray:
    """Autoregressive noise (length,) with the coefficient `memory`."""
    noise = rng.normal(0.0, spread * np.sqrt(1 - memory**2), length)
    out = np.zeros(length)
    for i in range(1, length):
        out[i] = memory * out[i - 1] + noise[i]
    return out


def ramp(length: int, *points: tuple[float, float]) -> np.ndarray:
    """Interpolate (length,) values between points of (index, value)."""
    at, values = zip(*points, strict=True)
    return np.interp(np.arange(length), at, values)


CHANNELS = {
    "hr": (78, 2.0),
    "spo2": (97, 0.4),
    "rr": (15, 0.8),
    "sbp": (121, 2.5),
    "dbp": (74, 1.8),
    "temp": (36.9, 0.03),
}


def vitals(rng: np.random.Generator, length: int) -> dict[str, np.ndarray]:
    """Six channels (length,) of a calm bed, one value per second."""
    return {name: middle + wander(rng, length, spread, 0.95) for name, (middle, spread) in CHANNELS.items()}
