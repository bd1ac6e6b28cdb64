"""A faulty condition of another package is an error that names it, and never goes unnoticed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from counting_watch import alarm, engine, play, pulse

from tocsin.engine.conditions.base import Condition


@dataclass(frozen=True)
class Faulty(Condition):
    """Gives the same whatever it judges; raises where that is None."""

    given: Any

    kind = "acme-faulty"

    @property
    def parameters(self):
        return {}

    def judge(self, *_):
        if self.given is None:
            raise KeyError("hr")
        return self.given

    def reason(self, *_):
        return ""


@pytest.mark.parametrize(
    "given", [True, [2], np.array([True]), np.array([2]), np.array([2.0]), np.full(2, 2, np.int8), np.int8(2)]
)
def test_what_is_no_judgement_is_an_error_that_names_alarm_and_condition(given):
    with pytest.raises(TypeError, match=r"alarm 'odd': its condition 'acme-faulty' gave .* \(legal: int8 \(1,\)"):
        play(engine(alarm("odd", Faulty(given))), pulse(80))


def test_what_a_condition_raises_names_alarm_and_condition():
    with pytest.raises(KeyError) as caught:
        play(engine(alarm("odd", Faulty(None))), pulse(80))
    assert caught.value.__notes__ == ["alarm 'odd': its condition 'acme-faulty' can't be judged"]
