"""The silence condition: a stream sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tocsin.engine.conditions.base import Condition
from tocsin.engine.conditions.wording import seconds
from tocsin.engine.events import ConditionEventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.engine.conditions.base import ReasonContext


@dataclass(frozen=True, slots=True)
class Silent(Condition):
    """A stream has been idle for some time.

    No frame judges it: the evaluator does as `now` advances, as a reading arrives, and as a source reports its streams
    gone.

    Attributes:
        for_ns: Minimum idle time, on the clock of `now`.
    """

    for_ns: int

    kind = "silent"
    technical = True

    @property
    def parameters(self) -> Mapping[str, object]:
        return {"for_ns": self.for_ns}

    @property
    def silence_ns(self) -> int:
        return self.for_ns

    def reason(self, kind: ConditionEventKind, context: ReasonContext) -> str:
        del context
        return "readings are back" if kind is ConditionEventKind.INACTIVE else f"no readings for {seconds(self.for_ns)}"
