"""Splits for training, validation and test: by stream or by time, never by row.

Neighbouring rows of a stream are nearly equal: a row whose neighbours were trained on is not new.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class ByStream:
    """Split by stream: each stream belongs to one part, by a hash of its name alone.

    Attributes:
        valid: Share of streams in `valid`.
        test: Share of streams in `test`.
        seed: Another seed splits otherwise.
    """

    valid: float
    test: float
    seed: int

    def part(self, stream: str) -> str:
        """Part that a stream belongs to.

        >>> split = ByStream(valid=0.1, test=0.2, seed=1)
        >>> [split.part(f"pump-{number}") for number in range(5)]
        ['train', 'train', 'test', 'valid', 'train']
        """
        digest = hashlib.sha256(f"{self.seed}/{stream}".encode()).digest()
        share = int.from_bytes(digest[:8]) / 2**64  # uniform in [0, 1)
        if share < self.test:
            return "test"
        return "valid" if share < self.test + self.valid else "train"

    def cut(self, stream: str, t: NDArray[np.int64]) -> dict[str, slice]:
        """Part → its rows of a stream with ascending times (T,)."""
        return {self.part(stream): slice(0, len(t))}


@dataclass(frozen=True, slots=True)
class ByTime:
    """Split by time: each stream is cut at the same times, and begins anew after a cut.

    A later part has no past to warm up on: its first frames are treated as a stream's first frames in the daemon, and
    its first `warm_up_ticks` have no score.

    Attributes:
        valid_from_ns: End of `train`.
        test_from_ns: End of `valid`; None for no `test`.
        gap_ns: Rows within this time before a cut belong to no part.
    """

    valid_from_ns: int
    test_from_ns: int | None
    gap_ns: int

    def cut(self, stream: str, t: NDArray[np.int64]) -> dict[str, slice]:  # noqa: ARG002  (all streams alike)
        """Part → the rows of a stream, whose times (T,) ascend, that belong to it.

        >>> ByTime(valid_from_ns=40, test_from_ns=70, gap_ns=10).cut("pump-1", np.arange(0, 100, 10))
        {'train': slice(0, 3, None), 'valid': slice(4, 6, None), 'test': slice(7, 10, None)}
        """
        begins = [np.iinfo(np.int64).min, self.valid_from_ns, self.test_from_ns]
        found = {}
        for part, begin, following in zip(PARTS, begins, [*begins[1:], None], strict=True):
            if begin is None:
                continue
            last = len(t) if following is None else int(np.searchsorted(t, following - self.gap_ns))
            found[part] = slice(int(np.searchsorted(t, begin)), last)
        return found
