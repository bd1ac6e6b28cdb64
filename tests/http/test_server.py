from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager

import pytest

from tocsin.http.authorization import Authorizer
from tocsin.http.server import Exposition, HttpServer, HttpSettings, PortTakenError, ReloadResult, application

OPEN = Authorizer("127.0.0.1", None)


def metrics():
    return Exposition(b"# HELP x y\n", "text/plain; version=0.0.4; charset=utf-8")


async def unasked():
    raise AssertionError("no reload was requested")


@asynccontextmanager
async def serving(not_ready=list, render=metrics, reload=unasked, roll_back=unasked, token=None):
    server = HttpServer(
        HttpSettings(port=0), application(render, not_ready, reload, roll_back, Authorizer("127.0.0.1", token))
    )
    port = server.bind()
    task = asyncio.create_task(server.run())
    try:
        yield port, task, server
    finally:
        server.stop()
        async with asyncio.timeout(5):
            await task


async def request(port, path, method="GET", *more):
    """A request in so many words: the test needs no second HTTP library."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", *more, "", ""]
    writer.write("\r\n".join(lines).encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    writer.close()
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body.decode()


async def test_metrics():
    async with serving() as (port, _, _):
        status, headers, body = await request(port, "/metrics")
        assert (status, body) == (200, "# HELP x y\n")
        assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(("succeeded", "status"), [(True, 200), (False, 500)])
async def test_reload_replies_with_its_result(succeeded, status):
    async def reload():
        return ReloadResult(succeeded=succeeded, text="watch ward: 3 streams go on\n")

    async with serving(reload=reload) as (port, _, _):
        assert (await request(port, "/-/reload", "POST"))[::2] == (status, "watch ward: 3 streams go on\n")


async def test_reload_goes_by_the_same_rule_as_every_command():
    async def reload():
        return ReloadResult(succeeded=True, text="")

    token = "a-test-daemons-token"  # noqa: S105  (a test's)
    secret = f"Authorization: Bearer {token}"
    async with serving(reload=reload, token=token) as (port, _, _):
        status, _, text = await request(port, "/-/reload", "POST")
        assert (status, text) == (401, "a token is needed: send `Authorization: Bearer …` (http.token_file)\n")
        assert (await request(port, "/-/reload", "POST", secret, "Origin: http://evil.example"))[0] == 403
        assert (await request(port, "/-/reload", "POST", secret))[0] == 200
        assert (await request(port, "/-/rollback", "POST"))[0] == 401


async def test_rollback_replies_with_its_result():
    async def roll_back():
        return ReloadResult(succeeded=False, text="there is no configuration before\n")

    async with serving(roll_back=roll_back) as (port, _, _):
        assert (await request(port, "/-/rollback", "POST"))[::2] == (500, "there is no configuration before\n")
        assert (await request(port, "/-/rollback"))[0] == 405


async def test_a_get_request_does_not_reload():
    async with serving() as (port, _, _):
        assert (await request(port, "/-/reload"))[0] == 405


async def test_healthy_whatever_readiness_says():
    async with serving(lambda: ["no broker"]) as (port, _, _):
        assert (await request(port, "/-/healthy"))[::2] == (200, "healthy\n")


async def test_ready_and_not_ready_with_every_reason():
    reasons = []
    async with serving(lambda: reasons) as (port, _, _):
        assert (await request(port, "/-/ready"))[::2] == (200, "ready\n")
        reasons += ["no connection to mqtt://broker:1883", "model not loaded"]
        assert (await request(port, "/-/ready"))[::2] == (
            503,
            "no connection to mqtt://broker:1883\nmodel not loaded\n",
        )


async def test_other_paths_and_methods():
    async with serving() as (port, _, _):
        assert (await request(port, "/"))[0] == 404
        assert (await request(port, "/metrics", "POST"))[0] == 405
        assert (await request(port, "/metrics", "HEAD"))[::2] == (200, "")


async def test_a_taken_port_is_named():
    async with serving() as (port, _, _):
        second = HttpServer(HttpSettings(port=port), application(metrics, list, unasked, unasked, OPEN))
        with pytest.raises(PortTakenError, match=rf"can't listen on 127\.0\.0\.1:{port} \(Address already in use\)"):
            second.bind()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
async def test_an_address_that_is_not_this_machines_is_named(host):
    with pytest.raises(PortTakenError, match=f"can't listen on {host}:0"):
        HttpServer(HttpSettings(host, 0), application(metrics, list, unasked, unasked, OPEN)).bind()


async def test_signals_stay_the_daemons():
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    async with serving() as (port, _, _):
        await request(port, "/-/healthy")
        assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


async def test_cancelled_it_leaves_the_port_free():
    server = HttpServer(HttpSettings(port=0), application(metrics, list, unasked, unasked, OPEN))
    port = server.bind()
    task = asyncio.create_task(server.run())
    await request(port, "/-/healthy")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = HttpServer(HttpSettings(port=port), application(metrics, list, unasked, unasked, OPEN))
    assert again.bind() == port
    task = asyncio.create_task(again.run())
    assert (await request(port, "/-/healthy"))[0] == 200
    again.stop()
    await task


async def test_an_error_while_rendering_is_a_500_and_the_server_stays():
    def broken():
        raise RuntimeError("no metrics")

    async with serving(render=broken) as (port, _, _):
        assert (await request(port, "/metrics"))[0] == 500
        assert (await request(port, "/-/healthy"))[0] == 200
