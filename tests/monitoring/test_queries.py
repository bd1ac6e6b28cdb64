"""Queries of all dashboards in a Prometheus that scrapes a demonstration."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ports import free_port
from processes import environment
from prometheus_api import OF_TWO_MODELS, Prometheus, command

from tocsin.bundle import shipped_folder

FOLDER = Path(__file__).parents[2] / "config" / "grafana" / "dashboards"
DASHBOARDS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}
RULES = Path(__file__).parents[2] / "config" / "prometheus" / "rules.yml"
QUERIES = [
    pytest.param(panel["title"], target["expr"], id=f"{name}-{panel['title']}-{target['refId']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    for target in panel.get("targets", [])
    if not OF_TWO_MODELS.search(target["expr"])  # a demonstration has one model; test_shadow_queries.py has two
]
ANNOTATIONS = [entry["expr"] for entry in DASHBOARDS["ward"]["annotations"]["list"]]
SPEED = 4
LASTS_S = 120  # at most: the fixture ends it
FIRES_WITHIN_S = 60


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """Prometheus after scraping a demonstration until an alarm was raised."""
    if not (shipped_folder() / "ward-vitals" / "1" / "model.onnx").exists():
        pytest.skip("the bundle ward-vitals/1 is not here")
    folder, daemon, port = tmp_path_factory.mktemp("prometheus"), free_port(), free_port()
    ward = [Path(sys.executable).with_name("tocsin"), "demo", "--no-board", "--speed", SPEED, "--duration", LASTS_S]
    variables = {
        "TOCSIN_HTTP__PORT": str(daemon),
        "TOCSIN_METRICS__STREAMS": '["ward/*"]',
        "TOCSIN_STORE__FOLDER": str(folder / "store"),
    }
    running = []
    try:
        for name, words in (
            ("demo", ward),
            ("prometheus", command(folder, port, daemon, rules=[str(RULES)])),
        ):
            with (folder / f"{name}.log").open("wb") as log:
                running.append(
                    subprocess.Popen([*map(str, words)], stdout=log, stderr=log, env=environment(**variables))
                )
        api = Prometheus(port)
        _wait_for_an_alarm(api, running, folder)
        yield api
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=20)


def _wait_for_an_alarm(api, running, folder):
    """Wait for a physiological alarm, and then long enough for every rate to have two samples."""
    deadline = time.monotonic() + FIRES_WITHIN_S
    while True:
        try:
            up = api.now('tocsin_stream_alarm{alarm="deterioration"} == 1')
        except OSError:  # it is still starting
            up = []
        if up:
            break
        logs = [(folder / f"{name}.log").read_text() for name in ("demo", "prometheus")]
        assert all(process.poll() is None for process in running), logs
        assert time.monotonic() < deadline, logs
        time.sleep(0.2)
    time.sleep(4)
    api.variables["stream"] = up[0]["metric"]["stream"]
    variables = {entry["name"]: entry for board in DASHBOARDS.values() for entry in board["templating"]["list"]}
    for name in ("instance", "watch", "stream", "channel"):
        api.choose(variables[name])


def test_the_variables_offer_the_existing_values(prometheus):
    assert prometheus.choices["watch"] == ["ward"]
    assert prometheus.choices["stream"] == [f"ward/bed-{n}" for n in range(1, 9)]
    assert prometheus.choices["channel"] == sorted(["hr", "spo2", "rr", "sbp", "dbp", "temp"])


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_every_query_returns_values(prometheus, title, expression):
    if "$channel" not in expression:
        assert prometheus.figures(expression), title
        return
    together = prometheus.variables["channel"]
    for channel in prometheus.choices["channel"]:  # one panel per channel
        prometheus.variables["channel"] = channel
        try:
            assert len(prometheus.figures(expression)) == 1, f"{title}: {channel}"
        finally:
            prometheus.variables["channel"] = together


@pytest.mark.parametrize("expression", ANNOTATIONS)
def test_the_alarms_of_the_stream_are_marked(prometheus, expression):
    marked = prometheus.figures(expression)
    assert {dict(series)["alarm"] for series in marked} == {"deterioration"}
    assert {dict(series)["stream"] for series in marked} == {prometheus.variables["stream"]}


def test_most_values_lie_inside_their_bands(prometheus):
    """The band belongs to the same time as the value: a calm patient is inside."""
    alarmed = {series["metric"]["stream"] for series in prometheus.now("tocsin_stream_alarm == 1")}
    calm = "|".join(name for name in prometheus.choices["stream"] if name not in alarmed)

    def held(comparison, bound):
        value, band = f'tocsin_stream_value{{stream=~"{calm}"}}', f'tocsin_stream_expected{{bound="{bound}"}}'
        by_series = prometheus.figures(f"{value} {comparison} bool on (stream, channel) {band}")
        return [figure for figures in by_series.values() for figure in figures]

    for figures in (held(">=", "low"), held("<=", "high")):
        assert len(figures) > 100
        assert sum(figures) / len(figures) > 0.9


def test_an_unknown_value_is_not_shown_as_0(prometheus):
    """The channel of a detached probe is absent and not 0."""
    assert prometheus.now("tocsin_stream_value == 0") == []
    lost = prometheus.now('tocsin_stream_alarm{alarm="spo2-absent"} == 1')
    assert lost
    for series in lost:
        stream = series["metric"]["stream"]
        assert prometheus.now(f'tocsin_stream_value{{stream="{stream}", channel="spo2"}}') == []
        assert prometheus.now(f'tocsin_stream_value{{stream="{stream}", channel="hr"}}')


def test_the_rules_are_loaded_and_no_alert_fires(prometheus):
    groups = prometheus.ask("rules")["groups"]
    states = {rule["name"]: (rule["health"], rule["state"]) for group in groups for rule in group["rules"]}
    assert len(states) == len(re.findall(r"- alert:", RULES.read_text(encoding="utf-8")))
    assert set(states.values()) == {("ok", "inactive")}, states


def test_a_query_that_does_not_parse_is_reported(prometheus):
    with pytest.raises(AssertionError, match="parse error"):
        prometheus.figures("sum by (tocsin_streams")
    assert prometheus.figures("tocsin_no_such_thing") == {}
