"""Every run-time dependency is pinned and a wheel on x86-64 and arm64, so the image needs no compiler."""

from __future__ import annotations

import pytest

import check_wheels


@pytest.fixture(scope="module")
def chosen():
    try:
        return {
            machine: check_wheels.resolved(machine, check_wheels.dockerfile_python(), check_wheels.requirements())
            for machine in check_wheels.MACHINES
        }
    except check_wheels.OfflineError as error:
        pytest.skip(f"no package index can be reached: {error}")


def test_both_architectures_get_the_same_pinned_versions(chosen):
    x86, arm = ({name: version for name, (version, _) in chosen[machine].items()} for machine in check_wheels.MACHINES)
    assert x86 == arm
    pinned = check_wheels.pins()
    assert {name: pinned.get(name) for name in x86} == x86
    assert {"onnxruntime", "numpy", "msgspec", "gmqtt"} <= set(x86)


@pytest.mark.parametrize("machine", check_wheels.MACHINES)
def test_compiled_wheels_match_the_architecture(chosen, machine):
    files = {name: file for name, (_, file) in chosen[machine].items()}
    assert all(file.endswith(("-any.whl", f"{machine}.whl")) for file in files.values())
    assert files["onnxruntime"].endswith(f"{machine}.whl")


def test_the_image_has_no_pytorch(chosen):
    heavy = {"torch", "onnx", "onnxscript", "scipy", "scikit-learn", "matplotlib", "polars"}
    assert not heavy & set(chosen["x86_64"])


def test_a_package_without_a_wheel_is_reported():
    try:
        with pytest.raises(check_wheels.WheelError, match=r"x86_64, Python 3\.5"):
            check_wheels.resolved("x86_64", "3.5", ["msgspec"])
    except check_wheels.OfflineError:
        pytest.skip("no package index can be reached")
