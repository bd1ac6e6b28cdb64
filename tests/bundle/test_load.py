"""Loading of bundles; refusals name the bundle and the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
import toy_bundle

from tocsin.bundle import BundleError, load


def test_a_bundle_steps_any_number_of_rows(tmp_path):
    bundle = load(toy_bundle.write(tmp_path / "toy"))
    assert [channel.name for channel in bundle.model.channels] == ["hr", "spo2"]
    for n in (0, 1, 2, 16, 513, 2049):
        x = np.tile(np.array([[80, 96]], dtype=np.float32), (n, 1))
        result = bundle.model.step(x, np.ones_like(x), np.zeros_like(x), np.zeros((n, 3), dtype=np.float32))
        assert result.score.tolist() == [88] * n
        assert result.state.tolist() == [[1, 80, 96]] * n


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"bundle .*nowhere: cannot read manifest.json: No such file"):
        load(tmp_path / "nowhere")


def test_a_changed_graph_is_refused(tmp_path):
    folder = toy_bundle.write(tmp_path / "toy")
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model.onnx has sha256 d9298a10d1b0…, the manifest says"):
        load(folder)


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    with pytest.raises(BundleError, match="ONNX Runtime cannot read it"):
        load(toy_bundle.write(tmp_path / "toy", graph=b"other"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 1}, r"schema_version is 1 \(legal: 2\): export the bundle again with `tocsin train`"),
        ({"schema_version": "2"}, r"schema_version is '2' \(legal: 2\)"),
        ({"task": "guess"}, "task: Input should be 'forecast', 'alarm', 'classify', 'seq2seq' or 'generate'"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"state_size": 4}, "input 'state' has 3 columns, the manifest says 4"),
        ({"channels": toy_bundle.MANIFEST["channels"][:1]}, "input 'x' has 2 columns, the manifest says 1"),
        ({"channels": toy_bundle.MANIFEST["channels"][:1] * 2}, "channels named twice: hr"),
    ],
)
def test_a_manifest_that_does_not_match_its_graph_is_refused(tmp_path, changes, message):
    with pytest.raises(BundleError, match=message):
        load(toy_bundle.write(tmp_path / "toy", **changes))


def test_a_graph_with_other_input_names_is_refused(tmp_path):
    graph = toy_bundle.serialised(toy_bundle.GRAPH.replace("delta", "gap"))
    with pytest.raises(BundleError, match="inputs delta are missing"):
        load(toy_bundle.write(tmp_path / "toy", graph=graph))


def test_a_graph_whose_rows_depend_on_each_other_is_refused(tmp_path):
    # The mean over all rows makes streams depend on each other.
    leaking = toy_bundle.GRAPH.replace(
        "score = Squeeze(ratio, axis)",
        """leak = ReduceMean <keepdims = 1> (total, rows)
           leaked = Add(ratio, leak)
           score = Squeeze(leaked, axis)""",
    ).replace("int64[1] axis = {1},", "int64[1] axis = {1}, int64[1] rows = {0},")
    with pytest.raises(BundleError, match="score of a row changes with its neighbours"):
        load(toy_bundle.write(tmp_path / "toy", graph=toy_bundle.serialised(leaking)))


def test_a_manifest_that_is_no_json_is_refused(tmp_path):
    folder = toy_bundle.write(tmp_path / "toy")
    (folder / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match=r"manifest.json: manifest: Invalid JSON"):
        load(folder)
    assert json.loads(toy_bundle.write(tmp_path / "whole").joinpath("manifest.json").read_text())["name"] == "toy"
