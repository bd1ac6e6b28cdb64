"""The command line as a person meets it: help, checks, and failures that say what to do."""

from __future__ import annotations

import json
import re
from dataclasses import astuple

import pytest
import toy_bundle
from ports import free_port
from processes import tocsin

from tocsin.cli.address import parse
from tocsin.cli.errors import Failure

SOUND = """\
broker: {host: 127.0.0.1, port: 1}
sources: [{topic: "vitals/{bed}"}]
watches:
  ward: {model: toy, alarms: {odd: {anomaly: {}}}}
http: {port: 0}
"""


@pytest.fixture
def configuration(tmp_path):
    toy_bundle.write(tmp_path / "toy")
    file = tmp_path / "tocsin.yaml"
    file.write_text(SOUND)
    return file


def fails(done, code, *lines):
    """In so many lines on stderr, and without a traceback."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    printed = done.stderr.splitlines()
    assert len(printed) == len(lines), done.stderr
    for line, pattern in zip(printed, lines, strict=True):
        assert re.search(pattern, line), line


def test_help_names_every_command():
    done = tocsin("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for command in ("run", "check", "replay", "watch", "alarms", "streams", "train", "demo"):
        assert re.search(rf"^\W*{command} ", done.stdout, re.MULTILINE), command


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("alarms", "acknowledge", "spo2-low"), "'spo2-low' is no alarm"),
        (("alarms", "shelve", "a/b", "--for", "soon"), "--for: 'soon' is no duration"),
        (("alarms", "history", "--since", "yesterday"), "--since 'yesterday' is no time"),
        (("alarms", "list", "--label", "icu"), "label 'icu' is no NAME=VALUE"),
        (("alarms", "labels"), "no output file is given"),
        (("alarms", "list", "--http", "here"), "--http 'here' is no address"),
        (("streams", "set-limit", "a/b", "low"), "LIMIT: 'low' is not a number"),
        (("streams", "import", "a", "nowhere.npz"), "nowhere.npz: cannot be read: No such file or directory"),
        (("streams", "list", "--http", "127.0.0.1:1"), r"no daemon answers at 127\.0\.0\.1:1"),
    ],
)
def test_what_is_wrong_before_anything_is_asked(words, problem, tmp_path):
    done = tocsin(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(f"^error: {problem}", done.stderr, re.MULTILINE), done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_is_none():
    done = tocsin("rnu")
    assert done.returncode == 2
    assert "No such command 'rnu'" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_of_a_sound_configuration(configuration):
    done = tocsin("check", configuration)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == f"watch ward: toy/1 (forecast, rnn): hr, spo2\n{configuration}: no faults\n"


@pytest.mark.parametrize("command", ["check", "run"])
def test_faults_are_listed_and_counted(configuration, command):
    configuration.write_text(SOUND.replace("model: toy", "model: tyo").replace("port: 0", "port: -1"))
    fails(
        tocsin(command, configuration),
        2,
        rf"^{configuration}:4: watches.ward.model: no bundle 'tyo' \(legal: .*, or a shipped one: .+\)$",
        rf"^{configuration}:5: http.port: Input should be greater than or equal to 0 \(found -1\)$",
        rf"^2 faults in {configuration}$",
    )


def test_a_model_that_is_unknown_is_answered_with_those_that_ship(configuration):
    from tocsin.bundle import shipped_folder  # noqa: PLC0415

    shipped = sorted("/".join(m.parent.parts[-2:]) for m in shipped_folder().glob("*/*/manifest.json"))
    configuration.write_text(SOUND.replace("model: toy", "model: tyo"))
    assert f"or a shipped one: {', '.join(shipped) or 'none'})" in tocsin("check", configuration).stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_configuration_that_is_not_there(tmp_path, command):
    missing = tmp_path / "nowhere.yaml"
    fails(tocsin(command, missing), 2, f"^{missing}: cannot be read: No such file or directory$", "^1 fault in ")


def test_the_schema_is_json():
    done = tocsin("check", "--schema")
    assert done.returncode == 0
    assert set(json.loads(done.stdout)["required"]) == {"sources", "watches"}


@pytest.mark.parametrize(
    "url", ["http://h", "h", "", "mqtt://", "mqtt://h:99999", "mqtt://h:x", "mqtt://[::1", "mqtt://h/x", "mqtt://h?x=1"]
)
def test_a_broker_that_is_no_address(url):
    with pytest.raises(Failure) as caught:
        parse(url)
    assert str(caught.value) == (
        f"error: broker {url!r} is no valid URL\nremedy: write mqtt://HOST:PORT, such as mqtt://localhost:1883"
    )


@pytest.mark.parametrize("host", ["h", "h:1883", "[::1", "h:99999", "h/x"])
def test_a_password_in_the_address_is_refused_and_not_repeated(host):
    with pytest.raises(Failure, match=r"broker 'mqtt://nurse:…@.*' contains a password") as caught:
        parse(f"mqtt://nurse:hunter2@{host}")
    assert "hunter2" not in str(caught.value)


def test_addresses(monkeypatch):
    monkeypatch.setenv("TOCSIN_BROKER__PASSWORD", "hunter2")
    assert astuple(parse("mqtt://localhost")) == ("localhost", 1883, False, None, "hunter2")
    assert astuple(parse("mqtts://ward%40night@[::1]:8884/")) == ("::1", 8884, True, "ward@night", "hunter2")
    assert parse("mqtts://h").port == 8883


@pytest.mark.parametrize("command", [["watch"], ["replay", "q.csv", "--topic", "v/{bed}"]])
def test_a_failure_is_two_lines(command, tmp_path):
    (tmp_path / "q.csv").write_text("t,bed,hr\n1764000000,a,80\n")
    fails(
        tocsin(*command, "--broker", "mqtt://nurse:hunter2@localhost", cwd=tmp_path),
        1,
        r"^error: broker 'mqtt://nurse:…@localhost' contains a password, which every user of this machine can read$",
        "^remedy: leave it out of the URL and set TOCSIN_BROKER__PASSWORD$",
    )


def test_a_version_that_is_none():
    fails(tocsin("watch", "--mqtt", "4"), 1, "^error: MQTT version '4' is not known$", r"^remedy: legal: 5, 3\.1\.1$")


def test_a_broker_that_is_not_there():
    url = f"mqtt://127.0.0.1:{free_port()}"
    fails(
        tocsin("watch", "--broker", url),
        1,
        f"^no connection to {url} .*Connect call failed.*; trying again$",
        f"^error: no connection to {url} .*Connect call failed",
        "^remedy: check that the broker is running and that --broker is right",
    )


def test_a_broker_that_refuses_the_password(mosquitto, tmp_path):
    (tmp_path / "users").write_text("")
    (tmp_path / "users").chmod(0o600)
    broker = mosquitto("allow_anonymous false", f"password_file {tmp_path / 'users'}")
    done = tocsin(
        "watch", "--broker", f"mqtt://nurse@127.0.0.1:{broker.port}", env={"TOCSIN_BROKER__PASSWORD": "hunter2"}
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(r"refuses this client \(.*(not authori[sz]ed|password).*\)", done.stderr, re.IGNORECASE)
    assert "hunter2" not in done.stderr
