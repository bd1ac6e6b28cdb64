"""Execution of the Dockerfile's steps, and the parts that execute them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from container_check.builder import Builder
from container_check.dockerfile import Ignored, steps
from container_check.stage import CheckError, Stage

ROOT = Path(__file__).parents[2]
STEPS = steps((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def test_the_image_is_built_and_behaves(mosquitto):
    if os.geteuid() != 0:
        pytest.skip("mounts and a user of one's own need root: sudo make container-check")
    can = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], check=False)
    if can.returncode != 0:
        pytest.skip("this machine allows no mount namespace")
    if not has_venv():
        pytest.skip("Debian's python3-venv is not installed")
    if not has_index():
        pytest.skip("no package index can be reached")
    broker = mosquitto()
    done = subprocess.run(
        [sys.executable, "-m", "container_check", "--broker", str(broker.port)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    output = done.stdout.splitlines()
    assert output[-1] == "the container is as it should be"
    assert {"  ready", "  has no torch", "  can't write to /etc/tocsin", "  can write to /var/lib/tocsin"} <= set(
        output
    )


def has_venv():
    probe = [shutil.which("python3", path="/usr/bin") or "false", "-c", "import ensurepip, venv"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def has_index():
    ask = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", os.devnull, "--retries", "0", "h11==0"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    return "from versions: 0" in done.stderr  # the index has the package, but not this version


def test_the_container_runs_as_an_unprivileged_user():
    assert [rest for name, rest in STEPS if name == "USER"] == ["10001:10001"]


def test_dependencies_are_installed_before_the_code_is_copied():
    at = {rest: index for index, (_, rest) in enumerate(STEPS)}
    installs = next(index for rest, index in at.items() if "--requirement requirements.txt" in rest)
    assert installs < at["daemon daemon"]


def test_the_build_context_contains_no_secret_and_no_history():
    ignored = Ignored((ROOT / ".dockerignore").read_text(encoding="utf-8"))
    for path in (".git/config", "secret.pem", "config/password", "runs/a", "tests/x.py", "daemon/tocsin/__pycache__/x"):
        assert path in ignored, path
    for path in ("daemon/tocsin/cli/run.py", "models/ward-vitals/1/model.onnx", "LICENSE", "constraints.txt"):
        assert path not in ignored, path


def test_copied_files_are_in_the_build_context():
    ignored = Ignored((ROOT / ".dockerignore").read_text(encoding="utf-8"))
    copied = [word for name, rest in STEPS if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]]
    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert path not in ignored, path


@pytest.fixture
def builder(tmp_path):
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / ".dockerignore").write_text("*\n!kept\n")

    def make(dockerfile):
        file = tmp_path / "Dockerfile"
        file.write_text(dockerfile)
        return Builder(file, tmp_path / "context", tmp_path)

    return make


@pytest.mark.parametrize(
    ("dockerfile", "fault"),
    [
        ("RUN true", "the first step must be FROM"),
        ("FROM alpine:3", "FROM alpine:3: this check can stand in for python:3.N-slim-SUITE alone"),
        ("ADD a b", "no idea how to carry out ADD"),
    ],
)
def test_unsupported_instructions_are_refused(builder, dockerfile, fault):
    with pytest.raises(CheckError, match=fault):
        builder(dockerfile).build()


@pytest.mark.parametrize("source", ["forgotten", "ignored"])
def test_copying_a_missing_file_fails(builder, tmp_path, source):
    made = builder("COPY x y")
    (tmp_path / "context" / "ignored").write_text("")
    made._stage = Stage(tmp_path / "root")  # noqa: SLF001  (a base needs root)
    with pytest.raises(CheckError, match=f"{source} is not there, or .dockerignore leaves it out"):
        made._copy(f"{source} there")  # noqa: SLF001


def test_the_health_check_uses_the_exposed_port():
    environment = next(rest for name, rest in STEPS if name == "ENV" and "TOCSIN_HTTP__PORT" in rest)
    assert [rest for name, rest in STEPS if name == "EXPOSE"] == [
        environment.rpartition("TOCSIN_HTTP__PORT=")[2].split()[0]
    ]
