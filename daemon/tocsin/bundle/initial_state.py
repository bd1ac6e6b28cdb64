"""Graph `init.onnx`: the initial state of a generated stream from its profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.bundle.graph import GraphError, padded, session

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT, OUTPUT = "profile", "state"
_PROBED_ROWS = (1, 17)


class InitialState:
    """ONNX graph from profiles to states."""

    def __init__(self, model: bytes) -> None:
        """Create a session of a serialised graph.

        Raises:
            GraphError: ONNX Runtime can't read it, or the input or output is missing or not float.
        """
        self._session = session(model, (INPUT,), (OUTPUT,))

    def __call__(self, profile: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the states (N, S) of N streams from their profiles (N, P), in the channels' units."""
        (state,) = self._session.run((OUTPUT,), {INPUT: padded(profile)})
        made: NDArray[np.float32] = state[: len(profile)]
        return made


def probe(initial_state: InitialState, low: NDArray[np.float64], high: NDArray[np.float64], state_size: int) -> None:
    """Check the shapes, and that the state of a stream depends on its own profile alone.

    Args:
        initial_state: Graph to check.
        low: (P,) lowest plausible values of the profile.
        high: (P,) highest plausible values.
        state_size: S of the manifest.

    Raises:
        GraphError: A shape is wrong, or bits of a row differ.
    """
    n = max(_PROBED_ROWS)
    profile = np.random.default_rng(0).uniform(low, high, (n, len(low))).astype(np.float32)
    try:
        whole = initial_state(profile)
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise GraphError(f"{n} profiles of {len(low)} values fail: {str(error).splitlines()[0]}") from error
    if whole.shape != (n, state_size):
        raise GraphError(f"output {OUTPUT!r} has shape {whole.shape} for {n} rows (the manifest says {n, state_size})")
    for size in _PROBED_ROWS:
        if initial_state(profile[n - size :]).tobytes() != whole[n - size :].tobytes():
            raise GraphError(f"the state of a stream changes with its neighbours (seen with {size} rows)")
