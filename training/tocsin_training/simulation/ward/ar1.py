"""First-order recursions over a whole block at once: x[t] = a x[t-1] + e[t]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def recur(drive: NDArray[np.float64], decay: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Run K first-order recursions over T ticks.

    Hillis and Steele's scan: log2(T) passes over the block in place of T steps of Python. Element by element, so the
    bits don't depend on what else is computed beside it.

    Args:
        drive: (K, T), e[t].
        decay: (K,), a.
        before: (K,), x just before the first tick.

    Returns:
        (K, T), x[t].

    >>> recur(np.array([[1.0, 0.0, 0.0, 2.0]]), np.array([0.5]), np.array([4.0]))
    array([[3.   , 1.5  , 0.75 , 2.375]])
    """
    x = drive.copy()
    x[:, 0] += decay * before
    factor = decay.copy()
    reach = 1
    while reach < x.shape[1]:
        x[:, reach:] += factor[:, None] * x[:, :-reach]  # numpy buffers overlapping operands, so this reads the old x
        factor = factor * factor
        reach *= 2
    return x


def follow(
    target: NDArray[np.float64], time_constant_s: NDArray[np.float64], before: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Follow targets with a first-order lag, at ticks of one second.

    Args:
        target: (K, T).
        time_constant_s: (K,).
        before: (K,), the quantities just before the first tick.

    Returns:
        (K, T).
    """
    decay = np.exp(-1.0 / time_constant_s)
    return recur((1.0 - decay)[:, None] * target, decay, before)
