"""`tocsin demo` as a process: its output, its exit and its child processes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tocsin.bundle import shipped_folder

pytestmark = pytest.mark.skipif(
    not (shipped_folder() / "ward-vitals" / "1" / "model.onnx").exists(), reason="the bundle is not here"
)
COMMAND = [sys.executable, "-c", "from tocsin.cli import main; main()", "demo", "--no-board"]
SPEED = 4


@pytest.fixture
def start():
    """Start demonstrations; kill processes that a failed test leaves running."""
    started = []

    def one(*options, environment=None):
        process = subprocess.Popen(
            [*COMMAND, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        started.append(process)
        return process

    yield one
    for process in started:
        process.kill()
        process.communicate()


def descendants(pid):
    """Ids of all descendants of a process, from /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, its in parents.items() if its == parent]
        found += children
        waiting += children
    return found


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def first_line(process):
    """Wait until the ward runs and all processes have started."""
    return process.stdout.readline()


def wait_until_gone(pids, within_s):
    end = time.monotonic() + within_s
    while alive(pids) and time.monotonic() < end:
        time.sleep(0.02)
    return alive(pids)


def test_a_deterioration_raises_an_alarm_before_the_limits_and_a_lost_probe_a_technical_one(start):
    process = start("--speed", str(SPEED), "--duration", "22", "--seed", "1")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    raised = re.findall(r"^ *([\d.]+) s +(\w+) +raise +(\S+) +([\w-]+): (.*)$", out, flags=re.MULTILINE)
    ill = re.search(r"(\S+): haemorrhage from 17 s; Tocsin alarmed at (\d+) s; .*; lead (\d+) s", out)
    off = re.search(r"(\S+): probe-off from 17 s; technical alarm spo2-absent at \d+ s, no physiological alarm", out)
    assert ill, out
    assert off, out
    assert sorted((bed, alarm) for _, _, bed, alarm, _ in raised) == sorted(
        [(ill[1], "deterioration"), (off[1], "spo2-absent")]  # and no other bed has an alarm
    )
    assert 17 < int(ill[2]) < 60
    assert int(ill[3]) >= 5
    reason = next(reason for _, _, bed, _, reason in raised if bed == ill[1])
    assert re.search(r"(sbp|hr|rr) .*expected", reason)
    assert "median lead" in out


def test_control_c_ends_everything_within_two_seconds(start):
    process = start("--beds", "2", "--scenario", "quiet")
    first_line(process)
    children = descendants(process.pid)
    assert len(children) >= 2
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert time.monotonic() - began < 2.0
    assert process.returncode == 0
    assert not alive(children)


def test_a_killed_demonstration_leaves_no_orphans(start):
    process = start("--beds", "2", "--scenario", "quiet")
    first_line(process)
    children = descendants(process.pid)
    process.kill()
    process.communicate(timeout=10)
    assert not wait_until_gone(children, within_s=2.0)


def test_a_daemon_that_fails_is_reported_with_the_end_of_its_log(start):
    process = start("--beds", "2", environment={"TOCSIN_HTTP__HOST": "203.0.113.1"})
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.startswith("error: the daemon ended with exit code")
    assert "203.0.113.1" in err
    assert "Traceback" not in err + out


def test_an_unknown_broker_is_refused(start):
    process = start("--broker", "rabbit")
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "legal: nats, mosquitto" in err
