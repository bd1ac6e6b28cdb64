"""A short version of `make fuzz`: mutated payloads make no decoder raise, and what is right still comes through."""

from __future__ import annotations

import random

import pytest

import fuzz


@pytest.mark.parametrize("name", sorted(fuzz.targets()))
def test_mutated_payloads(name):
    target = fuzz.targets()[name]
    source = random.Random(20261126)  # noqa: S311  (the same bytes in every run)
    found = fuzz.run(target, 5_000, source)
    assert found.payloads == 5_000
    assert found.readings > 300
    assert sum(found.rejects.values()) > 500
    right = target.decoder.decode(target.seeds, fuzz.NOW)  # mutated payloads left no trace
    assert len(right.readings) > 0
