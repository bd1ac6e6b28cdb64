"""What `/api/v1` is, as OpenAPI 3.1: made from the verbs and the types that requests are read with."""

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
"""Where each verb that changes nothing is found."""

_IN_PATH = {
    "id": "`STREAM/ALARM`, such as `icu/bed-3/spo2-low`; slashes may be written as `%2F`.",
    "stream": "Such as `icu/bed-3`; slashes may be written as `%2F`.",
}
_JSON = "application/json"
_INFO = """\
Alarms and their commands. The same verbs, bodies and answers go over MQTT (`<base>/request/<verb>`).

Every command says who gives it (`actor`) and may say why (`comment`); shelving, removing from service and annotating
must. A command that comes again with the same `transaction` changes nothing and is answered as before.\
"""
_FAULTS = {
    400: "The request can't be read: no JSON, a field that is missing or unknown.",
    401: "A token is needed, or it is another one.",
    403: "Not from here: `http.token_file` is needed, or another site's page asked.",
    404: "There is no such alarm, stream or command.",
    409: "Not in this state. The detail names it, and what is legal.",
    413: "The body is too long.",
    415: "The body is not said to be JSON.",
    422: "A value or a reason is missing or out of range.",
    501: "No log is kept.",
}
_OF_QUESTIONS = (400, 401, 403, 404, 501)
_OF_COMMANDS = (400, 401, 403, 404, 409, 413, 415, 422)


def document(version: str) -> dict[str, Any]:
    """Describe the interface.

    Args:
        version: The daemon's.
    """
    kinds: list[Any] = [Problem, *(verb.answer for verb in VERBS.values()), *(verb.body for verb in VERBS.values())]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for name, path in QUERIES.items():
        verb = VERBS[name]
        paths[path.replace(":path", "")] = {"get": _question(verb, schemas, path)}
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


def _question(verb: Verb, schemas: dict[str, Any], path: str) -> dict[str, Any]:
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
            "200": {"description": "As asked.", "content": {_JSON: {"schema": _reference(verb.answer)}}},
            **_faults(_OF_QUESTIONS),
        },
    }


def _parameter(name: str, field: dict[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in field.items() if key != "description"}
    told = field.get("description", "")
    if name == "labels":
        return {
            "name": "label",
            "in": "query",
            "description": f"{told} `NAME=VALUE`; may be given several times.",
            "schema": {"type": "array", "items": {"type": "string"}},
            "style": "form",
            "explode": True,
        }
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:  # a query leaves out what is null
        schema = options[0]
    return {"name": name, "in": "query", "description": told, "schema": schema}


def _command(verb: Verb) -> dict[str, Any]:
    reply = {
        "type": "object",
        "required": ["status", "data"],
        "properties": {
            "status": {"const": "ok"},
            "transaction": {"type": "string", "description": "The request's own, if it gave one."},
            "data": _reference(verb.answer),
        },
    }
    return {
        **_common(verb),
        "requestBody": {"required": True, "content": {_JSON: {"schema": _reference(verb.body)}}},
        "responses": {
            "200": {"description": "It is done.", "content": {_JSON: {"schema": reply}}},
            **_faults(_OF_COMMANDS),
        },
    }


def _common(verb: Verb) -> dict[str, Any]:
    return {"operationId": verb.name, "tags": [str(verb.subject)], "summary": verb.summary}


def _faults(statuses: tuple[int, ...]) -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": _reference(Problem)}}
    return {str(status): {"description": _FAULTS[status], "content": content} for status in statuses}


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
