"""Discovery messages, held against the schema that Home Assistant publishes for them."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from tocsin.notify.home_assistant import DeviceMessages, DiscoverySettings, StreamDevice

SETTINGS = DiscoverySettings("homeassistant", "tocsin", "1.2.3", scores=True)
BED = StreamDevice("icu/bed 3", ("deterioration", "spo2-low"), "ward-vitals/1")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Topic = Annotated[str, Field(pattern=r"^[^+#\x00]+$")]
Template = Annotated[str, Field(pattern=r"^\{\{ .+ \}\}$")]
Identity = Annotated[str, Field(min_length=1)]


class Device(Strict):
    """MQTT_ENTITY_DEVICE_INFO_SCHEMA: at least one identifier."""

    ids: Annotated[list[str], Field(min_length=1)]
    name: str
    mf: str
    mdl: str


class Origin(Strict):
    """MQTT_ORIGIN_INFO_SCHEMA: the name is required."""

    name: str
    sw: str


class Availability(Strict):
    t: Topic
    val_tpl: Template


class BinarySensor(Strict):
    p: Literal["binary_sensor"]
    name: str
    uniq_id: Identity
    dev_cla: Literal["problem"]
    stat_t: Topic
    val_tpl: Template
    json_attr_t: Topic


class Sensor(Strict):
    p: Literal["sensor"]
    name: str
    uniq_id: Identity
    stat_t: Topic
    val_tpl: Template
    stat_cla: Literal["measurement"]
    qos: Literal[0, 1, 2]


class Button(Strict):
    p: Literal["button"]
    name: str
    uniq_id: Identity
    cmd_t: Topic
    pl_prs: str


class Discovery(Strict):
    """DEVICE_DISCOVERY_SCHEMA: device, origin and components are required."""

    dev: Device
    o: Origin
    avty: list[Availability]
    cmps: dict[str, Annotated[BinarySensor | Sensor | Button, Field(discriminator="p")]]
    qos: Literal[0, 1, 2]


def read(device=BED, settings=SETTINGS):
    return Discovery.model_validate_json(settings.config(device))


def test_a_device_has_its_alarms_its_score_and_a_button():
    device = read()
    kinds = [(part.p, part.name) for part in device.cmps.values()]
    assert kinds == [
        ("binary_sensor", "deterioration"),
        ("binary_sensor", "spo2-low"),
        ("sensor", "score"),
        ("button", "acknowledge"),
    ]
    states = [part.stat_t for part in device.cmps.values() if part.p != "button"]
    assert states == [
        "tocsin/alarm/icu/bed 3/deterioration",
        "tocsin/alarm/icu/bed 3/spo2-low",
        "tocsin/score/icu/bed 3",
    ]
    assert device.avty[0].t == "tocsin/status"


def test_unique_ids_are_unique_over_streams_that_look_alike():
    streams = ["icu/3", "icu_3", "icu-3", "icu 3", "icu.3"]
    ids = [part.uniq_id for s in streams for part in read(StreamDevice(s, ("a", "b"), "m/1")).cmps.values()]
    assert len(set(ids)) == len(ids) == 4 * len(streams)
    assert len({SETTINGS.topic(s) for s in streams}) == len(streams)


def test_a_topic_has_the_levels_that_discovery_wants():
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", SETTINGS.topic("Ünit 3/bed#4"))


def test_without_published_scores_there_is_no_score():
    quiet = DiscoverySettings("homeassistant", "tocsin", "1.2.3", scores=False)
    assert [part.p for part in read(settings=quiet).cmps.values()] == ["binary_sensor", "binary_sensor", "button"]


def test_the_button_asks_for_all_of_its_stream_and_every_press_is_another():
    (button,) = [part for part in read().cmps.values() if part.p == "button"]
    assert button.cmd_t == "tocsin/request/acknowledge-group"
    assert json.loads(button.pl_prs) == {"labels": {"stream": "icu/bed 3"}, "actor": "home-assistant"}


def test_only_what_changed_is_read():
    devices = DeviceMessages(SETTINGS)
    other = StreamDevice("icu/4", ("a",), "m/1")
    assert [topic for topic, _ in devices.changes([BED, other])] == [
        SETTINGS.topic("icu/bed 3"),
        SETTINGS.topic("icu/4"),
    ]
    assert devices.changes([BED, other]) == []
    renamed = StreamDevice("icu/4", ("a", "b"), "m/1")
    assert devices.changes([BED, renamed]) == [(SETTINGS.topic("icu/4"), SETTINGS.config(renamed))]
    assert devices.changes([renamed]) == [(SETTINGS.topic("icu/bed 3"), b"")]
    assert devices.everything() == [(SETTINGS.topic("icu/4"), SETTINGS.config(renamed))]


@pytest.mark.parametrize(
    ("state", "shown"), [("normal", "OFF"), ("unacknowledged", "ON"), ("latched-acknowledged", "ON")]
)
def test_templates_give_what_the_entity_expects(state, shown):
    """The template's language is Jinja's."""
    from jinja2 import Template as Jinja  # noqa: PLC0415  (an extra's)

    alarm = next(iter(read().cmps.values()))
    assert Jinja(alarm.val_tpl).render(value_json={"state": state}) == shown
