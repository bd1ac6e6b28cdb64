"""Check of the Prometheus configuration and of every alert by promtool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "config"
RULES = CONFIG / "prometheus" / "rules.yml"
TESTS = CONFIG / "prometheus" / "rules.test.yml"
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))


def promtool(*words):
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "words",
    [("check", "config", CONFIG / "prometheus.yml"), ("check", "rules", RULES), ("test", "rules", TESTS)],
    ids=lambda words: " ".join(words[:2]),
)
def test_promtool_accepts_the_configuration(words):
    done = promtool(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_rule_fails_its_test(tmp_path):
    for file in (RULES, TESTS):
        text = file.read_text(encoding="utf-8").replace("> 0.05 *", "> 0.5 *")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    done = promtool("test", "rules", tmp_path / TESTS.name)
    assert done.returncode == 1
    assert "TocsinRejecting" in done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(alert):
    tried = TESTS.read_text(encoding="utf-8")
    assert re.search(rf"alertname: {alert}\n\s+exp_alerts:", tried), f"no test in which {alert} fires"
    assert re.search(rf"eval_time: \w+, alertname: {alert}}}", tried), f"no test in which {alert} does not fire"


def test_rules_name_existing_metrics():
    known = set(re.findall(r"^\| `(\w+)` ", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    known |= {f"{name}_sum" for name in known}
    named = set(re.findall(r"tocsin_\w+", " ".join(re.findall(r"(?s)expr: (.*?)\n +for:", RULES.read_text()))))
    assert named
    assert named <= known
