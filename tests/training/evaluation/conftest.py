"""Streams of a toy machine for the toy bundle, whose score is the mean of what it sees."""

from __future__ import annotations

import numpy as np
import pytest

from toy_bundle import write

pl = pytest.importorskip("polars", reason="tables need polars")


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory):
    """A bundle, and tables for it: 12 beds, 400 s each; in every third the heart races from 200 to 260 s on."""
    folder = tmp_path_factory.mktemp("toy")
    write(folder / "toy")
    for name, seed in (("train", 1), ("test", 2)):
        random = np.random.default_rng(seed)
        beds = []
        for bed in range(12):
            hr, spo2 = 70 + 3 * random.standard_normal(400), 96 + random.standard_normal(400)
            label = np.zeros(400)
            if bed % 3 == 0:
                label[200:260] = 1
                hr[205:260] += 15 if bed == 3 else 70  # bed 3 stays below the threshold
            if bed == 1:
                hr[300:310] += 80
            beds.append(
                pl.DataFrame(
                    {"bed": [f"bed-{bed}"] * 400, "t": np.arange(400), "hr": hr, "spo2": spo2.clip(0, 100)}
                ).with_columns(pl.Series("ill", label))
            )
        pl.concat(beds).write_parquet(folder / f"{name}.parquet")
    return folder
