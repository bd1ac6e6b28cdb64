"""The receivers of alarms in the configuration."""

from __future__ import annotations

import base64
from importlib.metadata import EntryPoint

import configurations
import plug_in_sinks
import pytest

from tocsin.config import check
from tocsin.config.notify import signing_key


@pytest.mark.parametrize(
    ("secret", "text"),
    [("whsec_no base64", "is no Base64"), ("whsec_QUJD", "has 3 bytes"), (base64.b64encode(bytes(65)).decode(), "65")],
)
def test_a_secret_that_cannot_sign_is_refused_and_not_sent(secret, text):
    with pytest.raises(ValueError, match=text) as refused:
        signing_key(secret)
    assert secret.removeprefix("whsec_") not in str(refused.value)


def faults(folder, **notify):
    return [str(fault).partition(": ")[2] for fault in check(configurations.write(folder, notify=notify)).faults]


def test_an_installed_sink_is_configured_by_its_name(tmp_path, monkeypatch):
    plug_in_sinks.install(monkeypatch, pigeon="Pigeon")
    assert faults(tmp_path, pigeon={"loft": "north"}) == []


def test_an_unknown_sink_is_a_fault_that_names_the_legal_ones(tmp_path, monkeypatch):
    plug_in_sinks.install(monkeypatch, pigeon="Pigeon")
    legal = "alertmanager, webhooks, home_assistant, pigeon; installed packages may add more"
    assert faults(tmp_path, pigeons={}) == [f"notify.pigeons: is not a known key (legal: {legal})"]


def test_options_that_an_installed_sink_does_not_take_are_faults_at_their_lines(tmp_path, monkeypatch):
    plug_in_sinks.install(monkeypatch, pigeon="Pigeon")
    assert faults(tmp_path, pigeon={"loft": "north", "hight": 3}) == [
        "notify.pigeon.hight: Extra inputs are not permitted"
    ]
    assert faults(tmp_path, pigeon={}) == ["notify.pigeon.loft: Field required"]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("nowhere_installed:Sink", "can't be loaded (ModuleNotFoundError: No module named 'nowhere_installed')"),
        ("Missing", "can't be loaded (AttributeError"),
        ("WithoutOptions", "has no pydantic model `Options`"),
        ("WithoutBuild", "has no method `build(options, context)`"),
    ],
)
def test_a_broken_sink_is_a_fault_that_names_its_code(tmp_path, monkeypatch, value, fault):
    plug_in_sinks.install(monkeypatch, pigeon=value)
    (found,) = faults(tmp_path, pigeon={})
    place = value if ":" in value else f"plug_in_sinks:{value}"
    assert found.startswith(f"notify.pigeon: sink 'pigeon' of an unknown package ({place}) {fault}")
    assert found.endswith("update or uninstall the package")


def test_the_broker_s_own_sink_cannot_be_replaced(tmp_path, monkeypatch):
    plug_in_sinks.install(monkeypatch, mqtt="Pigeon")
    assert faults(tmp_path, mqtt={"loft": "north"})[0].startswith("notify.mqtt: is not a known key")


def test_two_packages_with_one_sink_are_a_fault(tmp_path, monkeypatch):
    point = EntryPoint("pigeon", "plug_in_sinks:Pigeon", "tocsin.sinks")
    monkeypatch.setattr("tocsin.plug_ins.entry_points", lambda **_: [point, point])
    (found,) = faults(tmp_path, pigeon={})
    assert "sink 'pigeon' is in " in found
    assert found.endswith(": uninstall one of them")
