"""Prometheus itself scrapes the daemon, and promtool reads what it serves."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import aiomqtt
import configurations
import pytest
from ports import free_port
from processes import Daemon, until


@pytest.fixture
def broker(mosquitto):
    return mosquitto()


@pytest.fixture
def daemon(tmp_path, broker):
    running = Daemon(tmp_path, configurations.write(tmp_path, broker={"port": broker.port}))
    yield running.ready()
    running.clean_up()


def query(port, expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


@pytest.fixture
def prometheus(tmp_path, daemon):
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        "global: {scrape_interval: 500ms}\n"
        f"scrape_configs: [{{job_name: tocsin, static_configs: [{{targets: ['127.0.0.1:{daemon.port}']}}]}}]\n"
    )
    port = free_port()
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    yield port
    process.terminate()
    process.wait(timeout=20)


async def publish(broker):
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for k in range(7):
            await client.publish("vitals/a/1", json.dumps({"t": time.time() + k / 100, "hr": 80, "spo2": 97}), qos=1)
        await client.publish("vitals/a/1", b"garbage", qos=1)


def test_prometheus_scrapes_the_daemon(broker, daemon, prometheus):
    asyncio.run(publish(broker))
    until(lambda: daemon.metric("tocsin_messages_received_total") == 8)
    expected = {
        'up{job="tocsin"}': 1,
        "tocsin_messages_received_total": 8,
        'tocsin_rejects_total{reason="not_json"}': 1,
        "tocsin_mqtt_connected": 1,
        "tocsin_streams": 1,
    }

    def scraped():
        try:
            return {name: [float(r["value"][1]) for r in query(prometheus, name)] for name in expected}
        except OSError:  # it is still starting
            return {}

    until(lambda: scraped() == {name: [value] for name, value in expected.items()}, within_s=30, every_s=0.2)


def test_promtool_has_nothing_to_complain_of(daemon):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    _, text = daemon.get("/metrics")
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
