"""The OpenAPI document: valid, and complete."""

from __future__ import annotations

from openapi_spec_validator import validate

from tocsin.api import VERBS
from tocsin.http.authorization import Authorizer
from tocsin.http.openapi import document
from tocsin.http.routes import ApiRoutes


def test_the_description_is_valid_openapi():
    validate(document("1.2.3"))


def test_every_route_is_described_and_every_verb_has_one():
    paths = document("1.2.3")["paths"]
    described = {(path, method) for path, methods in paths.items() for method in methods}
    commands = {name for name, verb in VERBS.items() if verb.changes}
    assert {path.rpartition("/")[2] for path, method in described if method == "post"} == commands
    assert {methods["get"]["operationId"] for methods in paths.values() if "get" in methods} == VERBS.keys() - commands

    routes = ApiRoutes(None, Authorizer("127.0.0.1", None), "1.2.3").routes()
    served = {route.path.replace(":path", "") for route in routes}
    assert served == {path for path, method in described if method == "get"} | {
        "/api/v1/openapi.json",
        "/api/v1/commands/{verb}",
    }


def test_what_a_command_needs_and_refuses():
    schema = document("1.2.3")["components"]["schemas"]["ShelveRequest"]
    assert schema["required"] == ["stream", "alarm", "for_s", "actor"]
    assert schema["additionalProperties"] is False
    assert all("description" in field or "anyOf" in field for field in schema["properties"].values())
