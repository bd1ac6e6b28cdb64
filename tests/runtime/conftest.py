"""The daemon as a process of its own, and the bundle it is tested with."""

from __future__ import annotations

import pytest
import toy_bundle
from processes import Daemon

CONFIGURATION = """\
broker: {{host: 127.0.0.1, port: {port}, version: "{version}"{broker}}}
sources: [{{topic: "vitals/{{ward}}/{{bed}}"}}]
watches:
  ward:
    model: toy
    max_streams: 100000
    alarms:
      hr-high: {{above: {{channel: hr, limit: 120, deadband: 5}}, priority: high}}
      spo2-low: {{below: {{channel: spo2, limit: 85}}, priority: medium, on_delay_s: 2 s}}
publish: {{scores: {scores}}}
http: {{port: {http}}}
"""


@pytest.fixture
def configuration(tmp_path):
    """Write a configuration for a broker's port."""
    toy_bundle.write(tmp_path / "toy", toy_bundle.serialised(toy_bundle.REMEMBERING))

    def write(port, *, scores="false", http=0, version="5", broker=""):
        file = tmp_path / "tocsin.yaml"
        file.write_text(
            CONFIGURATION.format(port=port, scores=scores, http=http, version=version, broker=broker and f", {broker}")
        )
        return file

    return write


@pytest.fixture
def run(tmp_path):
    """Start daemons; none outlives the test."""
    daemons = []

    def start(configuration, **more):
        daemons.append(Daemon(tmp_path, configuration, **more))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.clean_up()


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    toy_bundle.write(folder / "toy", toy_bundle.serialised(toy_bundle.REMEMBERING))
    return folder
