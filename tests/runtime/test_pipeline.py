"""The pipeline processes all received messages before it stops."""

from __future__ import annotations

import configurations

from tocsin.config import check
from tocsin.ingest.reject_log import RejectLog
from tocsin.metrics.metrics import Metrics
from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import ConnectionSettings
from tocsin.runtime.build import build_deployment
from tocsin.runtime.committer import Committer
from tocsin.runtime.core import Core
from tocsin.runtime.pipeline import Pipeline


async def test_the_inbox_is_emptied_before_the_end(tmp_path):
    checked = check(configurations.write(tmp_path))
    connection = Connection(ConnectionSettings("localhost", 1, "test"))
    made = build_deployment(checked.config, checked.bundles)
    metrics = Metrics("0", *made.metric_labels())
    committer = Committer(None, bytes, metrics.store)
    pipeline = Pipeline(Core(made), connection, committer, metrics, RejectLog())
    messages = 9000  # more than one batch
    for bed in range(messages):
        connection.received(f"vitals/icu/{bed}", b'{"hr":80,"spo2":97}', 0, retain=False)
    pipeline.stop()
    await pipeline.run()
    assert connection.inbox_depth == 0
    assert f"tocsin_readings_accepted_total {messages}.0\n" in metrics.render().decode()
