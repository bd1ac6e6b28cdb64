"""A password is never shown, whatever is wrong with it or near it."""

from __future__ import annotations

import pytest
from configurations import LINES

from tocsin.config import check


@pytest.mark.parametrize(
    "broker",
    [
        "broker: {password: hunter2}",
        "broker: {password: [hunter2]}",
        "broker: {username: x, password: hunter2, password_file: tocsin.yaml}",
        "broker: {passwrod: hunter2}",
        "broker: mqtt://nurse:hunter2@localhost",
        "broker:\n  password: hunter2\n  password: hunter2",
        "broker:\n  password: *hunter2",
        "broker:\n  password: 'x': hunter2",
        "broker: {username: x, password: hunter2, port: hunter}",
    ],
)
def test_a_password_is_never_shown(faults_of, broker):
    found = faults_of(LINES.replace("broker:\n  host: localhost", broker))
    assert found
    assert "hunter2" not in "\n".join(found)


def test_a_password_of_digits_is_a_number_to_yaml_and_not_shown_either(faults_of):
    assert faults_of(LINES.replace("host: localhost", "username: nurse\n  password: 4711")) == [
        "tocsin.yaml:3: broker.password: should be text"
    ]


def test_a_password_is_never_shown_by_the_configuration(tmp_path, faults_of):
    assert faults_of(LINES.replace("host: localhost", "username: nurse\n  password: hunter2")) == []
    config = check(tmp_path / "tocsin.yaml").config
    assert "hunter2" not in repr(config) + str(config) + config.model_dump_json()
    assert config.broker.password.get_secret_value() == "hunter2"
