"""What has been received when the daemon is told to stop is processed before it stops."""

from __future__ import annotations

import configurations
from tocsin.app.build import setup
from tocsin.app.core import Core
from tocsin.app.keeper import Keeper
from tocsin.app.pump import Pump
from tocsin.config import check
from tocsin.metrics.metrics import Metrics
from tocsin.mqtt.connection import Connection
from tocsin.mqtt.settings import ConnectionSettings
from tocsin.rejects import RejectLog


async def test_the_inbox_is_emptied_before_the_end(tmp_path):
    checked = check(configurations.write(tmp_path))
    connection = Connection(ConnectionSettings("localhost", 1, "test"))
    made = setup(checked.config, checked.bundles)
    metrics = Metrics("0", *made.shown())
    keeper = Keeper(None, bytes, metrics.keeping)
    pump = Pump(Core(made), connection, keeper, metrics, RejectLog())
    messages = 9000  # more than one batch
    for bed in range(messages):
        connection.received(f"vitals/icu/{bed}", b'{"hr":80,"spo2":97}', 0, retain=False)
    pump.stop()
    await pump.run()
    assert connection.inbox_depth == 0
    assert f"tocsin_readings_accepted_total {messages}.0\n" in metrics.render().decode()
