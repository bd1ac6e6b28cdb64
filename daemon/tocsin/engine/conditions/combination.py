"""Combinations of conditions, by Kleene's three-valued logic (Introduction to Metamathematics, 1952, § 64)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.conditions.base import Condition, EvaluationContext
from tocsin.engine.events import ConditionEventKind
from tocsin.engine.types import NEVER, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.engine.conditions.base import ReasonContext

_NAMED = {ConditionEventKind.INACTIVE: Truth.FALSE, ConditionEventKind.UNCERTAIN: Truth.UNKNOWN}
"""Judgement of the members that a reason names, by the kind of the event; of any other, those that hold."""


def all_of(truths: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """Kleene's conjunction of M judgements (n,): false if one is false, true if all are true, else unknown."""
    stacked = np.stack(truths)  # (M, n)
    known = np.where((stacked == Truth.TRUE).all(axis=0), Truth.TRUE, Truth.UNKNOWN)
    return np.where((stacked == Truth.FALSE).any(axis=0), Truth.FALSE, known).astype(np.int8)


def any_of(truths: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """Kleene's disjunction of M judgements (n,): true if one is true, false if all are false, else unknown."""
    stacked = np.stack(truths)  # (M, n)
    known = np.where((stacked == Truth.FALSE).all(axis=0), Truth.FALSE, Truth.UNKNOWN)
    return np.where((stacked == Truth.TRUE).any(axis=0), Truth.TRUE, known).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Combination(Condition):
    """A condition of other conditions.

    State, member by member: its last judgement (a `Truth`), then its own state. A stream's own limit applies to no
    member, since it names none.

    Attributes:
        members: Conditions that are judged in frames, and are no combinations.
    """

    members: tuple[Condition, ...]

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"members": [{"kind": member.kind, **member.parameters} for member in self.members]}

    @property
    def state_size(self) -> int:
        return sum(1 + member.state_size for member in self.members)

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(channel for member in self.members for channel in member.channels))

    @property
    def technical(self) -> bool:
        return all(member.technical for member in self.members)

    @property
    def scored(self) -> bool:
        return any(member.scored for member in self.members)

    @property
    def modelled(self) -> bool:
        return any(member.modelled for member in self.members)

    @property
    def implausible_channels(self) -> tuple[int, ...]:
        return tuple(channel for member in self.members for channel in member.implausible_channels)

    def judge(
        self, context: EvaluationContext, previous: NDArray[np.int8], state: NDArray[np.float64]
    ) -> NDArray[np.int8]:
        no_limit = np.full(len(state), np.nan)
        configured = EvaluationContext(context.steps, context.table, context.model, no_limit, context.baseline)
        truths = []
        for member, last, own in self._layout():
            before = np.where(np.isnan(state[:, last]), Truth.UNKNOWN, state[:, last]).astype(np.int8)
            truth = member.judge(configured, before, state[:, own])
            state[:, last] = truth
            truths.append(truth)
        return self._combine(truths)

    @abstractmethod
    def _combine(self, truths: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
        """(n,) the judgement that follows from those of the members."""

    def _layout(self) -> Iterator[tuple[Condition, int, slice]]:
        """Each member, the column of its last judgement, and the columns of its own state."""
        at = 0
        for member in self.members:
            end = at + 1 + member.state_size
            yield member, at, slice(at + 1, end)
            at = end

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        named = _NAMED.get(kind, Truth.TRUE)
        found = [
            member.reason(kind, context.member(own))
            for member, last, own in self._layout()
            if context.state[last] == named
        ]
        return " and ".join(found) or "nothing is known now"

    def score_onset(self, state: NDArray[np.float64]) -> tuple[float | None, int]:
        """Score threshold and onset of the first member that has a threshold."""
        onsets = (member.score_onset(state[own]) for member, _, own in self._layout())
        return next((onset for onset in onsets if onset[0] is not None), (None, NEVER))


@dataclass(frozen=True, slots=True)
class AllOf(Combination):
    """All members hold."""

    kind = "all_of"

    def _combine(self, truths: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
        return all_of(truths)


@dataclass(frozen=True, slots=True)
class AnyOf(Combination):
    """At least one member holds."""

    kind = "any_of"

    def _combine(self, truths: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
        return any_of(truths)
