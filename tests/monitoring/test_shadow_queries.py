"""Dashboard queries in Prometheus during the shadow of a new model."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from pathlib import Path

import aiomqtt
import configurations
import pytest
import toy_bundle
from ports import free_port
from processes import WAIT_S, Daemon, Running, until
from prometheus_api import OF_TWO_MODELS, Prometheus, command

FILE = Path(__file__).parents[2] / "config" / "grafana" / "dashboards" / "daemon.json"
PANELS = {panel["title"]: panel for panel in json.loads(FILE.read_text(encoding="utf-8"))["panels"]}
ODD = {"odd": {"anomaly": {"threshold": 105}}}
# Its score is the mean of the observed values plus 7.
HIGHER = toy_bundle.GRAPH.replace("    score = Squeeze(ratio, axis)\n", "").replace(
    "    state_out =",
    "    seven = Constant <value = float[1] {7}> ()\n    more_of_it = Add(ratio, seven)\n"
    "    score = Squeeze(more_of_it, axis)\n    state_out =",
)


class Ward:
    """A daemon with a model replacement, and the Prometheus that scrapes it."""

    def __init__(self, folder, broker):
        self._folder, self._broker = folder, broker
        self.daemon = Daemon(folder, self._configure("toy")).ready()
        port = free_port()
        program, *words = command(folder, port, self.daemon.port)
        self.watching = Running(folder, *words, program=program)
        self.prometheus = Prometheus(port)
        self._t = (int(time.time()) - 60) * 1000
        until(lambda: self.scraped("tocsin_build_info"))
        self.prometheus.variables["instance"] = f"127.0.0.1:{self.daemon.port}"

    def _configure(self, model):
        ward = {"model": model, "alarms": ODD}
        return configurations.write(self._folder, broker={"port": self._broker.port}, watches={"ward": ward})

    def begin_anew(self, model):
        self._configure(model)
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=WAIT_S)
        with closing(connection):
            connection.request("POST", "/-/reload")
            assert connection.getresponse().status == 200

    async def hear(self, bed, *readings):
        """Publish readings one second apart, and wait until they are processed."""
        before = self.daemon.metric("tocsin_messages_received_total")
        async with aiomqtt.Client(self._broker.host, self._broker.port) as client:
            for hr in readings:
                self._t += 1000
                await client.publish(f"vitals/icu/{bed}", json.dumps({"t": self._t, "hr": hr, "spo2": 97}), qos=1)
        until(lambda: self.daemon.metric("tocsin_messages_received_total") == before + len(readings))

    def scraped(self, expression):
        try:
            return self.prometheus.now(expression)
        except OSError:  # it is still starting
            return []

    def drawn(self, title):
        """All values of a panel since the start of Prometheus, by legend."""
        found = {}
        for target in PANELS[title]["targets"]:
            for series, figures in self.prometheus.figures(target["expr"]).items():
                legend = target["legendFormat"]
                for label, value in series:
                    legend = legend.replace(f"{{{{{label}}}}}", value)
                found[legend] = figures
        return found


@pytest.fixture
def ward(tmp_path, mosquitto):
    made = Ward(tmp_path, mosquitto())
    yield made
    made.watching.clean_up()
    made.daemon.clean_up()


async def test_the_dashboard_shows_both_models_during_a_shadow(ward, tmp_path):
    await ward.hear("a", 80, 80, 80)
    await ward.hear("b", 80)
    toy_bundle.write(tmp_path / "toy2", toy_bundle.serialised(HIGHER), version="2", warm_up_ticks=3)
    ward.begin_anew("toy2")
    until(lambda: ward.scraped("tocsin_shadow_streams == 2"))
    until(lambda: len(ward.scraped("tocsin_shadow_onsets_total")) == 2)  # at 0, so that the increase is visible
    await ward.hear("a", 80, 80, 80, 140)  # the new model is warmed up with the fourth frame
    until(lambda: ward.scraped("tocsin_shadow_taken_over_total == 1"))
    until(lambda: ward.drawn("Difference of the scores"))

    where = ward.prometheus.variables["instance"]
    streams = ward.drawn("Streams to cut over")
    assert streams[f"{where} waiting"][-1] == 1  # bed b sends nothing
    assert max(streams[f"{where} waiting"]) == 2
    assert (streams[f"{where} cut over"][0], streams[f"{where} cut over"][-1]) == (0, 1)
    assert max(ward.drawn("Difference of the scores")[where]) == pytest.approx(7)
    onsets = ward.drawn("Onsets, by model")
    assert onsets.keys() == {"toy/1 odd", "toy/2 odd"}
    assert all(max(figures) > 0 for figures in onsets.values())


def test_no_other_panel_needs_a_shadow():
    needing = {
        title
        for title, panel in PANELS.items()
        for target in panel.get("targets", [])
        if OF_TWO_MODELS.search(target["expr"])
    }
    assert needing == {"Onsets, by model", "Difference of the scores"}
