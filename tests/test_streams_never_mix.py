"""A stream's scores are bit-identical alone, among 5,000 others, in any order, and while others come and go."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.bundle import load, shipped_folder
from tocsin.engine import Engine, FrameClock, Readings, Watch
from tocsin.engine.model import ChannelKind

TICKS = 8
NEIGHBOURS = 5_000
BUNDLES = sorted(manifest.parent for manifest in shipped_folder().glob("*/*/manifest.json"))


def watching(model):
    return Engine(Watch(model, (), FrameClock(lateness_ns=0, frame_timeout_ns=10**18), max_streams=10_000))


def values_of(model, streams, ticks, random):
    """(streams, ticks, C) plausible readings, a third of them missing."""
    low = np.array([c.low for c in model.channels])
    high = np.array([c.high for c in model.channels])
    middle = low + (high - low) * random.uniform(0.2, 0.8, (streams, 1, len(low)))
    values = middle + (high - low) * 0.02 * random.standard_normal((streams, ticks, len(low)))
    values = np.clip(values, low, high)
    values[random.random(values.shape) < 1 / 3] = np.nan
    return values


def run(model, names, values, schedule):
    """Step through `schedule`, the ordered streams of each tick; returns the bits of stream 0 by tick."""
    channels = [c.name for c in model.channels if c.kind is ChannelKind.READING]
    columns = [i for i, c in enumerate(model.channels) if c.kind is ChannelKind.READING]
    start = 1_700_000_000 * 10**9 // model.period_ns
    engine, bits = watching(model), {}
    for tick, present in enumerate([*schedule, schedule[-1]]):
        t = (start + tick) * model.period_ns
        batch = Readings(
            streams=[names[s] for s in present],
            channels=channels,
            stream=np.arange(len(present), dtype=np.int32),
            t=np.full(len(present), t),
            values=values[present, min(tick, TICKS - 1)][:, columns],
        )
        for steps in engine.apply(batch, t).steps:
            for i, row in enumerate(steps.rows):
                if engine.table.names[row] == names[0]:
                    row_bits = [steps.score[i], steps.contribution[i], steps.mean[i], steps.scale[i]]
                    bits[int(steps.tick[i]) - start] = [part.tobytes() for part in row_bits]
    state = engine.table.state[engine.table.names.index(names[0])]
    return [bits[tick] for tick in range(TICKS)], state.tobytes()


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_stream_s_scores_do_not_depend_on_other_streams(folder):
    model = load(folder).model
    random = np.random.default_rng(0)
    names = [f"bed-{k}" for k in range(NEIGHBOURS + 1)]
    values = values_of(model, NEIGHBOURS + 1, TICKS, random)
    everybody = np.arange(NEIGHBOURS + 1)

    alone = run(model, names, values, [[0]] * TICKS)
    together = run(model, names, values, [random.permutation(everybody) for _ in range(TICKS)])
    coming_and_going = [
        np.concatenate([[0], 1 + np.flatnonzero(random.random(NEIGHBOURS) < random.random())]) for _ in range(TICKS)
    ]
    joining = run(model, names, values, [random.permutation(present) for present in coming_and_going])

    assert len({bits for tick in alone[0] for bits in tick}) > TICKS  # the scores are not empty
    assert together == alone
    assert joining == alone


def test_there_are_bundles_to_test():
    assert len(BUNDLES) >= 2
