"""Consistency of compose.yaml and its mounted files, without a container engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"


def read(file):
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


COMPOSE = read(CONFIG / "compose.yaml")
SERVICES = COMPOSE["services"]
MOUNTS = [(name, *volume.split(":")) for name, service in SERVICES.items() for volume in service.get("volumes", [])]
BOUND = [mount for mount in MOUNTS if mount[1].startswith(".")]


def test_compose_has_the_documented_services():
    assert set(SERVICES) == {"mosquitto", "tocsin", "prometheus", "grafana"}
    for service in SERVICES.values():
        assert service["image"].rpartition(":")[2], "an image without a version is not reproducible"
        assert set(service.get("depends_on", [])) <= set(SERVICES)


@pytest.mark.parametrize(("service", "source", "target", "mode"), BOUND)
def test_mounted_files_exist_and_are_read_only(service, source, target, mode):
    assert (CONFIG / source).exists(), service
    assert mode == "ro", service
    assert target.startswith("/")


def test_named_volumes_are_declared_and_used():
    named = {source for _, source, *_ in MOUNTS if not source.startswith(".")}
    assert named == set(COMPOSE["volumes"])


def test_ports_are_bound_to_the_loopback_interface():
    ports = [port for service in SERVICES.values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(ports) == len({port.split(":")[1] for port in ports})


def test_tocsin_is_built_locally_and_writes_only_its_state():
    tocsin = SERVICES["tocsin"]
    assert (CONFIG / tocsin["build"]["context"] / "Dockerfile").is_file()
    assert tocsin["read_only"] is True
    assert tocsin["cap_drop"] == ["ALL"]
    writable = [target for name, source, target, *_ in MOUNTS if name == "tocsin" and not source.startswith(".")]
    assert writable == ["/var/lib/tocsin"]
    assert f"VOLUME {writable[0]}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_mounted_configuration_is_the_one_that_the_image_runs():
    run = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert run is not None
    assert json.loads(run[1]) == ["run", "/etc/tocsin/tocsin.yaml"]
    assert "/etc/tocsin/tocsin.yaml" in [target for name, _, target, *_ in BOUND if name == "tocsin"]


def test_services_refer_to_each_other_by_their_names():
    scraped = [
        target
        for job in read(CONFIG / "prometheus.yml")["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    assert scraped == ["tocsin:9464"]
    (source,) = read(CONFIG / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == read(CONFIG / "prometheus.yml")["global"]["scrape_interval"]
    assert SERVICES["tocsin"]["environment"]["TOCSIN_BROKER__HOST"] == "mosquitto"


def test_grafana_reads_the_dashboards_where_they_are_mounted():
    (provider,) = read(CONFIG / "grafana/provisioning/dashboards/tocsin.yaml")["providers"]
    mounted = {target: CONFIG / source for name, source, target, _ in BOUND if name == "grafana"}
    assert list(mounted[provider["options"]["path"]].glob("*.json"))
    assert mounted["/etc/grafana/provisioning"] == CONFIG / "grafana/provisioning"


def test_prometheus_finds_the_rules_where_they_are_mounted():
    mounted = {target: CONFIG / source for name, source, target, _ in BOUND if name == "prometheus"}
    for rules in read(CONFIG / "prometheus.yml")["rule_files"]:
        folder, _, name = f"/etc/prometheus/{rules}".rpartition("/")
        assert (mounted[folder] / name).is_file()
