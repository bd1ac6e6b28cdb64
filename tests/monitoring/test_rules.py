"""promtool reads the Prometheus configuration as Prometheus will, and tries every alert."""

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
def test_promtool_is_content(words):
    done = promtool(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_is_broken_fails_its_test(tmp_path):
    for file in (RULES, TESTS):
        text = file.read_text(encoding="utf-8").replace("> 0.05 *", "> 0.5 *")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    done = promtool("test", "rules", tmp_path / TESTS.name)
    assert done.returncode == 1
    assert "TocsinRejecting" in done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_to_rise_and_to_stay_down(alert):
    tried = TESTS.read_text(encoding="utf-8")
    assert re.search(rf"alertname: {alert}\n\s+exp_alerts:", tried), f"no test in which {alert} rises"
    assert re.search(rf"eval_time: \w+, alertname: {alert}}}", tried), f"no test in which {alert} stays down"


def test_rules_name_metrics_that_there_are():
    known = set(re.findall(r"^\| `(\w+)` ", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    known |= {f"{name}_sum" for name in known}
    named = set(re.findall(r"tocsin_\w+", " ".join(re.findall(r"(?s)expr: (.*?)\n +for:", RULES.read_text()))))
    assert named
    assert named <= known
