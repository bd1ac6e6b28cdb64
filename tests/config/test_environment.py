"""Environment variables override the file, and are checked as strictly."""

from __future__ import annotations

import re

import pytest
from configurations import LINES

from tocsin.config import check


def test_the_environment_wins_over_the_file(tmp_path, faults_of, monkeypatch):
    monkeypatch.setenv("TOCSIN_BROKER__HOST", "broker.example")
    monkeypatch.setenv("TOCSIN_WATCHES__WARD__LATENESS_S", "2 min")
    assert faults_of(LINES) == []
    config = check(tmp_path / "tocsin.yaml").config
    assert config.broker.host == "broker.example"
    assert config.watches["ward"].lateness_s == 120
    assert config.watches["ward"].model == "toy"


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("TOCSIN_BROKER__PORT", "x", "TOCSIN_BROKER__PORT: broker.port: Input should be a valid integer"),
        ("tocsin_http__port", "x", "tocsin_http__port: http.port: Input should be a valid integer"),
        ("TOCSIN_HTTP__PROT", "1", "TOCSIN_HTTP__PROT: http.prot: is not a known key"),
        ("TOCSIN_BROKER", "x", "TOCSIN_BROKER: broker: is not JSON (single values have variables of their own"),
        ("TOCSIN_BROKER", '{"port": "x"}', "TOCSIN_BROKER: broker.port: Input should be a valid integer"),
        ("TOCSIN_SOURCES", "[}", "TOCSIN_SOURCES: sources: is not JSON"),
        ("TOCSIN_PUBLISH__BASE", "a/#", "TOCSIN_PUBLISH__BASE: publish.base: String should match pattern"),
    ],
)
def test_a_wrong_variable_is_named(faults_of, monkeypatch, variable, value, fault):
    monkeypatch.setenv(variable, value)
    (found,) = faults_of(LINES)
    assert found.startswith(f"environment {fault}")


def test_a_password_from_the_environment_without_a_username(faults_of, monkeypatch):
    monkeypatch.setenv("TOCSIN_BROKER__PASSWORD", "hunter2")
    without_broker = LINES.removeprefix("broker:\n  host: localhost\n")
    assert faults_of(without_broker) == [
        "environment TOCSIN_BROKER__PASSWORD: broker: a password needs a username",
    ]


def test_a_variable_that_sets_nothing_is_named(faults_of, monkeypatch):
    monkeypatch.setenv("TOCSIN_HTP__PORT", "9000")
    monkeypatch.setenv("TOCSIN_PORT", "tcp://10.0.0.1:1883")  # as platforms set it for a service called tocsin
    (fault,) = faults_of(LINES)
    assert re.match(r"environment TOCSIN_HTP__PORT: sets nothing \(legal: TOCSIN_BROKER__…, ", fault)
