"""Fixed bedside limits with a monitor's defaults: the baseline that Tocsin is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.simulation.ward.simulator import CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEDSIDE = {
    "hr": (50.0, 120.0),
    "spo2": (90.0, 100.0),
    "rr": (8.0, 30.0),
    "sbp": (90.0, 160.0),
    "dbp": (50.0, 90.0),
    "temp": (36.0, 39.0),
}
"""Default adult limits of bedside monitors; a value at a limit is still within."""

_LOW = np.array([BEDSIDE[name][0] for name in CHANNELS])
_HIGH = np.array([BEDSIDE[name][1] for name in CHANNELS])


def alarms(values: NDArray[np.float64], delay_s: int) -> NDArray[np.bool_]:
    """Ticks at which the alarms of a monitor with fixed limits begin.

    Each channel has its own alarm: it begins when its value has been outside for more than `delay_s` seconds without a
    break, and ends once the value is within. A missing value is not outside.

    Args:
        values: (..., T, C), NaN where missing.
        delay_s: Seconds that a value must stay outside before the alarm; 0 for none.

    Returns:
        (..., T, C), true where a channel's alarm begins.

    >>> one = np.full((1, 5, 6), np.nan)
    >>> one[0, :, 0] = [80, 121, 122, 123, 80]
    >>> alarms(one, 0)[0, :, 0].tolist(), alarms(one, 1)[0, :, 0].tolist()
    ([False, True, False, False, False], [False, False, True, False, False])
    """
    with np.errstate(invalid="ignore"):
        outside = (values < _LOW) | (values > _HIGH)
    ticks = np.arange(values.shape[-2])[:, None]
    last_within = np.maximum.accumulate(np.where(outside, -1, ticks), axis=-2)
    began = np.broadcast_to(last_within + 1, outside.shape)
    return np.asarray(outside & (ticks - began == delay_s))
