"""Agreement of docs/container.md with the image, Compose and the schema."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

from container_check.dockerfile import steps
from tocsin.config import Config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")
STEPS = steps((ROOT / "Dockerfile").read_text(encoding="utf-8"))
SERVICES = YAML(typ="safe").load((ROOT / "config" / "compose.yaml").read_text(encoding="utf-8"))["services"]


def test_links_of_the_page_have_targets():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link


def test_the_table_of_ports_matches_compose():
    ports = dict(re.findall(r"^\| (\w+) \| (\d+)", PAGE, re.MULTILINE))
    mapped = {name.capitalize(): service["ports"][0].split(":")[1] for name, service in SERVICES.items()}
    assert ports == mapped


def test_the_writable_folders_are_those_that_the_image_declares():
    writable = re.findall(r"^\| `(\S+)` \| .* \| yes: a volume \|$", PAGE, re.MULTILINE)
    assert writable == [rest for name, rest in STEPS if name == "VOLUME"]


def test_user_and_variables_match_the_image():
    assert "user 10001 of the group 10001" in PAGE
    environment = " ".join(rest for name, rest in STEPS if name == "ENV")
    for variable in set(re.findall(r"`(TOCSIN_\w+=\S+)`", PAGE)):
        assert variable in environment, variable


def test_the_stated_cap_matches_the_configuration():
    schema = Config.model_json_schema()["$defs"]["StreamMetrics"]["properties"]["max_streams"]
    assert schema["maximum"] == 100
    assert "never more than a hundred" in PAGE
    metrics = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert f"max_streams: {schema['default']}       # at most {schema['maximum']}" in metrics
