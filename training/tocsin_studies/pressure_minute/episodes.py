"""Acute hypotensive episodes: 30 minutes in which at least 90 % of the values lie below 60 mmHg.

Moody & Lehman, Computers in Cardiology 36:541-544, 2009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMIT = 60.0  # mmHg
MINUTES = 30
BELOW = 27  # of the 30 values: 90 %


def level(values: NDArray[np.floating]) -> float:
    """Level of the pressure: the lowest, over all windows of 30 minutes, of the 27th smallest value in it, mmHg.

    An episode is a level below 60.

    Args:
        values: (T,) one a minute, mmHg; at least 30.

    >>> level(np.full(40, 72.0))
    72.0
    >>> level(np.concatenate([np.full(10, 80.0), np.full(27, 55.0), np.full(10, 80.0)]))
    55.0
    >>> level(np.concatenate([np.full(10, 80.0), np.full(26, 55.0), np.full(10, 80.0)]))
    80.0
    """
    windows = sliding_window_view(values, MINUTES)  # (T - 29, 30)
    return float(np.sort(windows, axis=1)[:, BELOW - 1].min())


def episode(values: NDArray[np.floating]) -> bool:
    """Whether these minutes (T,) hold an episode.

    >>> episode(np.concatenate([np.full(20, 70.0), np.full(30, 59.9)]))
    True
    >>> episode(np.concatenate([np.full(20, 70.0), np.full(30, 60.0)]))
    False
    """
    return level(values) < LIMIT
