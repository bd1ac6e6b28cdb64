"""`tocsin explain`: from an event as it was published to the score made again."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import alarm_events
import numpy as np
import pytest
import toy_bundle
from counting_watch import START, S, alarm
from processes import tocsin

from tocsin.alarm import Transition
from tocsin.bundle import load
from tocsin.engine import Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.notify.mqtt_messages import alarm_state, alarm_transition


@pytest.fixture
def bundle(tmp_path):
    return load(toy_bundle.write(tmp_path / "toy"))


@pytest.fixture
def raised(bundle):
    """An event as the daemon publishes it."""
    clock = FrameClock(lateness_ns=0, frame_timeout_ns=0)
    engine = Engine(Watch(bundle.model, [alarm("odd", ScoreAbove(110))], clock, 10, explain_ticks=10))
    for at in range(6):
        t = START + at * S
        values = {"hr": 80.0 + at} if at == 2 else {"hr": 80.0 + at if at < 5 else 141.0, "spo2": 97.0}
        changes = engine.apply(Readings.of([("icu/1", t, values)]), t).events
    (change,) = changes
    return alarm_events.event(Transition.RAISE, stream="icu/1", alarm="odd", t=change.t, report=change.report)


def published(event):
    return json.loads(alarm_transition("tocsin", event).payload)


def test_a_score_is_made_again_and_its_frames_are_drawn(tmp_path, bundle, raised):
    file = tmp_path / "event.json"
    file.write_text(json.dumps(published(raised)))
    done = tocsin("explain", file, "--model", bundle.folder)
    assert done.returncode == 0, done.stderr
    assert "icu/1/odd  2023-11-14T22:13:25.000Z" in done.stdout
    assert raised.report.reason in done.stdout.replace("\n", " ")
    assert "score 119.0: equal to the bit" in done.stdout
    assert "last 6 frames, 6 s" in done.stdout
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert lines["hr"].split()[1:] == ["▁▁▁▁▁█", "141", "/min", "84", "±", "1", "70.5"]
    assert lines["spo2"].split()[1:3] == ["▅▅·▅▅▅", "97"]


def test_as_many_frames_are_drawn_as_fit(tmp_path, bundle):
    clock = FrameClock(lateness_ns=0, frame_timeout_ns=0)
    engine = Engine(Watch(bundle.model, [alarm("odd", ScoreAbove(110))], clock, 10, explain_ticks=100))
    for at in range(100):
        t = START + at * S
        changes = engine.apply(Readings.of([("icu/1", t, {"hr": 80.0 if at < 99 else 171.0, "spo2": 97.0})]), t).events
    (change,) = changes
    event = alarm_events.event(Transition.RAISE, stream="icu/1", alarm="odd", t=change.t, report=change.report)
    file = tmp_path / "event.json"
    file.write_text(json.dumps(published(event)))
    for columns, shown in ((60, 15), (200, 60)):
        done = tocsin("explain", file, "--model", bundle.folder, env={"COLUMNS": str(columns)})
        lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
        assert lines["hr"].split()[1][-1] == "█", "the last frame is shown: it raised the alarm"
        assert len(lines["hr"].split()[1]) >= shown
        assert lines["hr"].split()[2:4] == ["171", "/min"]
        assert max(len(line) for line in done.stdout.splitlines()) <= columns


def test_the_configuration_says_where_the_bundle_is(tmp_path, raised):
    file, config = tmp_path / "event.json", tmp_path / "tocsin.yaml"
    file.write_text(json.dumps(published(raised)))
    assert "--model FOLDER with the bundle toy/1" in tocsin("explain", file).stderr
    toy_bundle.write(tmp_path / "newer", sha256="f" * 64)  # the same name and version, and another graph
    watches = "".join(f"  {name}: {{model: {name}, alarms: {{}}}}\n" for name in ("newer", "toy", "nowhere"))
    config.write_text(f"watches:\n{watches}")
    done = tocsin("explain", file, "--config", tmp_path / "nowhere.yaml")
    assert f"{tmp_path / 'nowhere.yaml'}" in done.stderr
    assert "correct it, or give the bundle by --model" in done.stderr
    done = tocsin("explain", file, "--config", config)
    assert done.returncode == 0, done.stderr
    assert "equal to the bit" in done.stdout


@pytest.mark.parametrize(
    "around",
    [
        lambda event: {"events": [{**event, "id": 7, "frames": None}, event], "before": None},
        lambda event: [event],
    ],
)
def test_answers_with_events_are_taken_too(tmp_path, bundle, raised, around):
    file = tmp_path / "history.json"
    file.write_text(json.dumps(around(published(raised))))
    assert tocsin("explain", file, "--model", bundle.folder).returncode == 0


def test_lines_as_watch_prints_them_are_taken_too(tmp_path, bundle, raised):
    file = tmp_path / "lines"
    file.write_text('{"state": "online"}\n' + json.dumps(published(raised)) + "\n")
    assert tocsin("explain", file, "--model", bundle.folder).returncode == 0
    done = tocsin("explain", file, "--model", bundle.folder, "--id", "99")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no event here carries frames\nremedy: ")


def test_a_score_that_differs_is_reported(tmp_path, bundle, raised):
    event = published(raised)
    x = np.frombuffer(base64.b64decode(event["frames"]["x"]), dtype="<f4").copy()
    x[-2] = 100.0
    event["frames"]["x"] = base64.b64encode(x.tobytes()).decode()
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    done = tocsin("explain", file, "--model", bundle.folder)
    assert done.returncode == 3
    assert "score 98.5, but the alarm's was 119.0; the computed score differs" in done.stdout


def test_another_graph_and_damage_are_refused(tmp_path, bundle, raised):
    event = published(raised)
    file = tmp_path / "event.json"
    file.write_text(json.dumps({**event, "explanation": {**event["explanation"], "sha256": "f" * 64}}))
    done = tocsin("explain", file, "--model", bundle.folder)
    assert done.returncode == 1
    assert "has another graph" in done.stderr
    file.write_text(json.dumps({**event, "frames": {**event["frames"], "tick": "AAAA"}}))
    done = tocsin("explain", file, "--model", bundle.folder)
    assert done.returncode == 1
    assert "frames are damaged" in done.stderr
    file.write_text("no JSON")
    assert "the input is not JSON" in tocsin("explain", file).stderr


def test_the_retained_state_carries_no_frames(raised):
    assert raised.report.explanation.frames is not None
    state = json.loads(alarm_state("tocsin", raised).payload)
    assert "frames" not in state
    assert state["explanation"]["rising_since_ns"] == START


def test_a_page_is_written_instead_of_the_drawing(tmp_path, bundle, raised):
    file, made = tmp_path / "event.json", tmp_path / "why.html"
    file.write_text(json.dumps(published(raised)))
    done = tocsin("explain", file, "--model", bundle.folder, "--html", made)
    assert (done.returncode, done.stdout) == (0, "score 119.0: equal to the bit\n")
    assert done.stderr == f"wrote {made}\n"
    assert "<h1>icu/1/odd" in made.read_text()


def test_a_page_that_cannot_be_written_is_refused(tmp_path, bundle, raised):
    file, made = tmp_path / "event.json", tmp_path / "no" / "why.html"
    file.write_text(json.dumps(published(raised)))
    done = tocsin("explain", file, "--model", bundle.folder, "--html", made)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {made}: cannot be written: No such file or directory")


@pytest.fixture
def daemon(raised):
    """A daemon's answer about its log; the queries it received, and its address."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, query = self.path.partition("?")
            asked.append((path, parse_qs(query)))
            known = asked[-1][1]["alarm"] == ["odd"]
            body = json.dumps({"events": [published(raised)] if known else [], "before": None}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield asked, f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_daemon_is_asked_of_an_alarm_by_its_name(bundle, daemon):
    asked, address = daemon
    done = tocsin("explain", "icu/1/odd", "--http", address, "--model", bundle.folder)
    assert done.returncode == 0, done.stderr
    assert "score 119.0: equal to the bit" in done.stdout
    ((path, query),) = asked
    assert path == "/api/v1/history"
    assert query == {"stream": ["icu/1"], "alarm": ["odd"], "transition": ["raise"], "limit": ["1"]}


def test_an_alarm_that_was_never_raised_is_refused(daemon):
    _, address = daemon
    done = tocsin("explain", "icu/[1]/quiet", "--http", address)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: icu/[1]/quiet was not raised"


def test_a_name_is_no_pattern(daemon):
    asked, address = daemon
    tocsin("explain", "icu/[1]/quiet", "--http", address)
    assert asked[0][1]["stream"] == ["icu/[[]1]"]
