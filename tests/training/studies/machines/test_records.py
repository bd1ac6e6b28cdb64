"""Records of servers and of the test bed, split by the protocols."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("polars")
pytest.importorskip("torch", reason="training needs PyTorch")

from tocsin_studies.machines import recipes, servers, skab
from tocsin_training.data.dataset import DataRequest
from tocsin_training.errors import TrainingError

DATA = Path(__file__).parents[5] / "shared" / "data"
needs_records = pytest.mark.skipif(not (DATA / servers.FOLDER).exists(), reason="the records are not here")


@pytest.fixture(scope="module")
def every():
    return servers.servers(DATA)


@needs_records
def test_four_servers_a_minute_and_six_every_five_minutes(every):
    assert [server.name for server in every if server.group == "SMD"] == [
        "machine-1-6",
        "machine-2-1",
        "machine-2-7",
        "machine-3-3",
    ]
    assert {(server.train.shape[1], server.period_s) for server in every} == {(38, 60.0), (19, 300.0)}
    assert sum(server.group == "ASD" for server in every) == 6


@needs_records
def test_causes_lie_within_labelled_anomalies(every):
    for server in every:
        named = np.zeros(len(server.label))
        for cause in server.causes:
            named[cause.first : cause.last + 1] = 1
        np.testing.assert_array_equal(named, server.label, err_msg=server.name)


@needs_records
def test_the_parts_to_fit_and_to_stop_on_share_no_row_and_hold_no_test_row(every):
    server = every[-1]
    fitted, held_out, tested = server.fitted(), server.held_out(), server.tested()
    np.testing.assert_array_equal(
        np.concatenate([fitted.x, held_out.x]), server.train.astype(np.float32), err_msg="in order, nothing twice"
    )
    assert len(tested.x) == servers.RUN_IN + len(server.test)
    assert tested.label[: servers.RUN_IN].sum() == 0
    assert fitted.lengths.max() == servers.PIECE


@needs_records
def test_the_data_source_of_a_recipe_gives_the_server_s_parts(every):
    recipe = recipes.of_server(every[-1])
    request = DataRequest("train", DATA, recipe.channels, 300.0, 300.0, 1, recipe.data.options)
    np.testing.assert_array_equal(servers.read(request).x, every[-1].fitted().x)
    with pytest.raises(TrainingError, match="'omi-7' is none of the servers"):
        servers.read(DataRequest("train", DATA, recipe.channels, 300.0, 300.0, 1, {"server": "omi-7"}))


@needs_records
def test_fourteen_experiments_one_fitted_on_anomalous_rows():
    experiments = skab.experiments(DATA)
    assert [experiment.name for experiment in experiments] == [str(number) for number in range(1, 15)]
    shares = [experiment.label[: skab.FITTED].mean() for experiment in experiments]
    assert shares[1] == sum(shares) == pytest.approx(0.74)
    assert len(experiments[0].fitted().x) + len(experiments[0].held_out().x) == skab.FITTED


def test_missing_records_are_reported(tmp_path):
    with pytest.raises(TrainingError, match="no servers' records in it"):
        servers.servers(tmp_path)
    with pytest.raises(TrainingError, match="no experiments in it"):
        skab.experiments(tmp_path)
