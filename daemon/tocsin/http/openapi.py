"""The OpenAPI 3.1 document of `/api/v1`, derived from the verbs and the types of requests and replies."""

from __future__ import annotations

from typing import Any

import msgspec

from tocsin.api import VERBS, Verb
from tocsin.http.problem import CONTENT_TYPE, Problem

PREFIX = "/api/v1"
QUERIES = {
    "list": f"{PREFIX}/alarms",
    "show": f"{PREFIX}/alarms/{{id:path}}",
    "history": f"{PREFIX}/history",
    "list-streams": f"{PREFIX}/streams",
    "show-stream": f"{PREFIX}/streams/{{stream:path}}",
    "stream-history": f"{PREFIX}/stream-history",
    "export-stream": f"{PREFIX}/memory/{{stream:path}}",
}
"""Paths of the queries by verb."""

_IN_PATH = {
    "id": "`STREAM/ALARM`, such as `icu/bed-3/spo2-low`; slashes may be written as `%2F`.",
    "stream": "Such as `icu/bed-3`; slashes may be written as `%2F`.",
}
_JSON = "application/json"
_INFO = """\
Alarms and their commands. MQTT has the same verbs, bodies and replies (`<base>/request/<verb>`).

Every command names its `actor` and may give a reason (`comment`); shelving, removing from service and annotating need
one. A command that comes again with the same `transaction` changes nothing and gets the same reply.\
"""
_ERRORS = {
    400: "The request is malformed: no JSON, or a field is missing or unknown.",
    401: "The token is missing or wrong.",
    403: "Forbidden: `http.token_file` is not set, or the request comes from another site's page.",
    404: "The alarm, stream or command is unknown.",
    409: "Illegal in the present state. The detail names it and what is legal.",
    413: "The body is too long.",
    415: "The content type is not JSON.",
    422: "A value or a reason is missing or out of range.",
    501: "There is no store.",
}
_OF_QUERIES = (400, 401, 403, 404, 501)
_OF_COMMANDS = (400, 401, 403, 404, 409, 413, 415, 422)


def document(version: str) -> dict[str, Any]:
    """The document.

    Args:
        version: The daemon's version.
    """
    kinds: list[Any] = [Problem, *(verb.result for verb in VERBS.values()), *(verb.body for verb in VERBS.values())]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for name, path in QUERIES.items():
        verb = VERBS[name]
        paths[path.replace(":path", "")] = {"get": _query(verb, schemas, path)}
    for verb in VERBS.values():
        if verb.changes:
            paths[f"{PREFIX}/commands/{verb.name}"] = {"post": _command(verb)}
    bodies_in_queries = {VERBS[name].body.__name__ for name in QUERIES}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tocsin",
            "version": version,
            "description": _INFO,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "tags": [{"name": subject} for subject in dict.fromkeys(verb.subject for verb in VERBS.values())],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in bodies_in_queries},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The text in `http.token_file`."}
            },
        },
    }


def _query(verb: Verb, schemas: dict[str, Any], path: str) -> dict[str, Any]:
    in_path = [name for name in _IN_PATH if f"{{{name}:path}}" in path]
    taken = {"transaction", *in_path, *(("stream", "alarm") if "id" in in_path else ())}
    fields = schemas[verb.body.__name__]["properties"]
    parameters = [
        {"name": name, "in": "path", "required": True, "description": _IN_PATH[name], "schema": {"type": "string"}}
        for name in in_path
    ]
    parameters += [_parameter(name, field) for name, field in fields.items() if name not in taken]
    return {
        **_common(verb),
        "parameters": parameters,
        "responses": {
            "200": {"description": "The result.", "content": {_JSON: {"schema": _reference(verb.result)}}},
            **_error_responses(_OF_QUERIES),
        },
    }


def _parameter(name: str, field: dict[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in field.items() if key != "description"}
    description = field.get("description", "")
    if name == "labels":
        return {
            "name": "label",
            "in": "query",
            "description": f"{description} `NAME=VALUE`; may be given several times.",
            "schema": {"type": "array", "items": {"type": "string"}},
            "style": "form",
            "explode": True,
        }
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:  # a query string leaves out null
        schema = options[0]
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _command(verb: Verb) -> dict[str, Any]:
    reply = {
        "type": "object",
        "required": ["status", "data"],
        "properties": {
            "status": {"const": "ok"},
            "transaction": {"type": "string", "description": "The request's transaction, if it has one."},
            "data": _reference(verb.result),
        },
    }
    return {
        **_common(verb),
        "requestBody": {"required": True, "content": {_JSON: {"schema": _reference(verb.body)}}},
        "responses": {
            "200": {"description": "The command was executed.", "content": {_JSON: {"schema": reply}}},
            **_error_responses(_OF_COMMANDS),
        },
    }


def _common(verb: Verb) -> dict[str, Any]:
    return {"operationId": verb.name, "tags": [str(verb.subject)], "summary": verb.summary}


def _error_responses(statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": _reference(Problem)}}
    return {str(status): {"description": _ERRORS[status], "content": content} for status in statuses}


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
