"""`pip install tocsin` without extras in an empty environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import aiomqtt
import configurations
import pytest
from processes import WAIT_S, Daemon, environment

ROOT = Path(__file__).parents[1]
INSTALL_S = 280


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Folder of the programs of an environment with only Tocsin installed."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=INSTALL_S)
    done = subprocess.run(
        [folder / "bin" / "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", ROOT],
        check=False,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
    )
    assert done.returncode == 0, done.stderr
    yield folder / "bin"
    shutil.rmtree(folder)


@pytest.fixture
def tocsin(programs, tmp_path):
    def run(*words):
        return subprocess.run(
            [programs / "tocsin", *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            cwd=tmp_path,
            env=environment(),
        )

    return run


def test_the_command_starts_without_warnings(tocsin):
    done = tocsin("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tocsin ")


def test_no_torch_and_no_other_extra_is_installed(programs):
    for module in ("torch", "polars", "onnx", "aiomqtt", "sklearn", "matplotlib", "pytest"):
        done = subprocess.run(
            [programs / "python", "-c", f"import {module}"], check=False, capture_output=True, text=True
        )
        assert f"ModuleNotFoundError: No module named '{module}'" in done.stderr


def test_installed_packages_are_compatible(programs):
    done = subprocess.run([programs / "pip", "check"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_package_contains_the_bundles_of_this_checkout(programs):
    script = "from tocsin.bundle import shipped_folder; print(shipped_folder())"
    done = subprocess.run([programs / "python", "-c", script], check=True, capture_output=True, text=True)
    shipped = Path(done.stdout.strip())
    assert shipped.is_relative_to(programs.parent)
    assert shipped.parts[-2:] == ("tocsin", "models")
    for folder in (ROOT / "models", shipped):
        assert (folder / "README.md").is_file()
    manifests = sorted(file.relative_to(ROOT / "models") for file in (ROOT / "models").glob("*/*/manifest.json"))
    assert sorted(file.relative_to(shipped) for file in shipped.glob("*/*/manifest.json")) == manifests
    for manifest in manifests:
        for part in (manifest, manifest.with_name("model.onnx")):
            assert (shipped / part).read_bytes() == (ROOT / "models" / part).read_bytes()


def test_check(tocsin, tmp_path):
    file = configurations.write(tmp_path)
    done = tocsin("check", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"watch ward: toy/1 (forecast, rnn): hr, spo2\n{file}: no faults\n"


async def test_run(programs, mosquitto, tmp_path):
    broker = mosquitto()
    file = configurations.write(tmp_path, broker={"port": broker.port})
    daemon = Daemon(tmp_path, file, program=programs / "tocsin")
    try:
        daemon.ready()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("tocsin/event/#")
            await client.publish("vitals/icu/a", json.dumps({"t": time.time(), "hr": 131, "spo2": 97}), qos=1)
            message = await anext(aiter(client.messages))
        assert json.loads(message.payload)["reason"] == "hr 131 /min is above 120"
        assert daemon.end() == 0
        assert "Traceback" not in daemon.errors
    finally:
        daemon.clean_up()


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["train", "recipe.yaml"], "training"),
        (["demo"], "demo"),
        (["replay", "table.csv", "--topic", "vitals/{bed}"], "demo"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_command_names_its_missing_extra(tocsin, words, extra):
    done = tocsin(*words)
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    problem, remedy = done.stderr.splitlines()
    assert problem.startswith("error: ")
    assert remedy == f"remedy: pip install 'tocsin[{extra}]'"
