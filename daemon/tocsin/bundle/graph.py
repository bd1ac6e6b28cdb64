"""Graph of a bundle as a step function.

With ONNX Runtime the last bits of a row depend on the number of rows and on the row's index, unless channels are
summed by a matrix product and the number of rows is a multiple of the kernels' width. So calls are padded and run on
one thread, and `probe` refuses a graph in which bits differ nevertheless.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from tocsin.bundle.signature import INPUTS, Signature, field, outputs
from tocsin.engine.model import StepResult, Task

# From 1.29 on, the import of ONNX Runtime creates an identifier of the machine and a database in the user's cache, and
# reports sessions to its vendor over HTTPS. A hospital's daemon must not connect to third parties.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort  # it reads the variable while it is imported

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAD_TO = 16
_MOST_ROWS = 1024  # a call of more costs memory and saves no time; a multiple of the padding
_PROBED_ROWS = (1, 2, 15, 16, 17, 64, 257)


class GraphError(Exception):
    """A graph is not a step function of the manifest's signature."""


def session(model: bytes, inputs: tuple[str, ...], named_outputs: tuple[str, ...]) -> ort.InferenceSession:
    """Create a session of a serialised graph.

    Args:
        model: Serialised ONNX graph.
        inputs: Names of its inputs.
        named_outputs: Names of its outputs.

    Raises:
        GraphError: ONNX Runtime can't read it, or an input or output is missing or not float.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # two are 2 to 4 times slower on rows this small, and move the bits
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        made = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise GraphError(f"ONNX Runtime cannot read it: {str(error).splitlines()[0]}") from error
    _check_names("inputs", {entry.name: entry for entry in made.get_inputs()}, inputs)
    _check_names("outputs", {entry.name: entry for entry in made.get_outputs()}, named_outputs)
    return made


def _check_names(what: str, found: dict[str, ort.NodeArg], wanted: tuple[str, ...]) -> None:
    if missing := [name for name in wanted if name not in found]:
        raise GraphError(f"{what} {', '.join(missing)} are missing (found: {', '.join(found) or 'none'})")
    for name in wanted:
        if found[name].type != "tensor(float)":
            raise GraphError(f"{what[:-1]} {name!r} is {found[name].type} (legal: tensor(float))")


class Graph:
    """ONNX graph that steps any number of rows."""

    def __init__(self, model: bytes, task: Task = Task.FORECAST) -> None:
        """Create a session of a serialised graph with the outputs of a task.

        Raises:
            GraphError: ONNX Runtime can't read it, or an input or output is missing or not float.
        """
        self._outputs = outputs(task)
        self._session = session(model, INPUTS, self._outputs)

    def width(self, name: str) -> int | None:
        """Last dimension of an input or output; None where the graph leaves it open."""
        for entry in (*self._session.get_inputs(), *self._session.get_outputs()):
            if entry.name == name:
                last = entry.shape[-1]
                return last if isinstance(last, int) else None
        return None

    def __call__(
        self,
        x: NDArray[np.float32],
        mask: NDArray[np.float32],
        delta: NDArray[np.float32],
        state: NDArray[np.float32],
    ) -> StepResult:
        """Step N rows; see `tocsin.engine.model.StepFunction`."""
        if len(x) <= _MOST_ROWS:
            return self._result(self._run(x, mask, delta, state))
        cuts = range(_MOST_ROWS, len(x), _MOST_ROWS)
        parts = [self._run(*part) for part in zip(*(np.split(a, cuts) for a in (x, mask, delta, state)), strict=True)]
        return self._result([np.concatenate(columns) for columns in zip(*parts, strict=True)])

    def _result(self, columns: list[NDArray[np.float32]]) -> StepResult:
        return StepResult(**{field(name): column for name, column in zip(self._outputs, columns, strict=True)})

    def _run(self, *rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        n = len(rows[0])
        feeds = {name: padded(part) for name, part in zip(INPUTS, rows, strict=True)}
        return [column[:n] for column in self._session.run(self._outputs, feeds)]


def padded(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pad rows with zero rows to a multiple of 16."""
    missing = -len(rows) % _PAD_TO
    if not missing:
        return rows
    return np.concatenate([rows, np.zeros((missing, rows.shape[1]), dtype=np.float32)])


def probe(graph: Graph, signature: Signature, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Check that the result of a row depends on that row alone, to the bit.

    Rows of plausible readings, some missing, are stepped with carried state: all at once, shuffled, and in batches of
    several sizes.

    Args:
        graph: Step function.
        signature: Shapes of the manifest.
        low: (C,) lowest plausible values.
        high: (C,) highest plausible values.

    Raises:
        GraphError: Bits of a row differ, or a shape is wrong.
    """
    random = np.random.default_rng(0)
    n, c = max(_PROBED_ROWS), len(low)
    state = np.zeros((n, signature.state_size), dtype=np.float32)
    for _ in range(3):  # the first steps from zeros exercise little of the state
        mask = (random.random((n, c)) < 0.8).astype(np.float32)  # noqa: PLR2004  (a share of missing values)
        x = (random.uniform(low, high, (n, c)) * mask).astype(np.float32)
        delta = random.integers(0, 10, (n, c)).astype(np.float32)
        try:
            whole = graph(x, mask, delta, state)
        except Exception as error:  # see above
            raise GraphError(f"a step of {n} rows fails: {str(error).splitlines()[0]}") from error
        _check_shapes(whole, signature, n)
        for size in _PROBED_ROWS:
            chosen = random.permutation(n)[:size]
            part = graph(x[chosen], mask[chosen], delta[chosen], state[chosen])
            for name in map(field, outputs(signature.task)):
                if getattr(part, name).tobytes() != getattr(whole, name)[chosen].tobytes():
                    raise GraphError(f"{name} of a row changes with its neighbours (seen with {size} rows)")
        state = whole.state


def _check_shapes(result: StepResult, signature: Signature, n: int) -> None:
    for name, shape in signature.shapes(n).items():
        found = getattr(result, field(name)).shape
        if found != shape:
            raise GraphError(f"output {name!r} has shape {found} for {n} rows (the manifest says {shape})")
