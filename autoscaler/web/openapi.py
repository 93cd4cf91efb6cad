"""The API's own description, OpenAPI 3.1: made from the table of endpoints and the structs they speak in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from autoscaler import __version__
from autoscaler.clients.control import API
from autoscaler.loop.answers import Problem
from autoscaler.web.endpoint import Endpoint, Param

KINDS = {str: "string", int: "integer", float: "number"}
REFERENCE = "#/components/schemas/{name}"
WRONG = {
    "400": "the question is wrong",
    "401": "a token is needed, or this one is not known",
    "403": "this token may not do that, or the request is another site's",
    "421": "the daemon does not go by this name",
    "503": "what is needed cannot be had now",
}


def description(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole description."""
    kinds = [Problem, *(each.answer for each in endpoints), *(each.body for each in endpoints if each.body is not None)]
    _, schemas = msgspec.json.schema_components(list(dict.fromkeys(kinds)), ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    paths[f"{API}/events"] = {"get": _events()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "autoscaler",
            "version": __version__,
            "description": "What the daemon knows and does. Times are seconds since the epoch, UTC; spans end in _s.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(each: Endpoint) -> dict[str, Any]:
    parameters = [_parameter(param) for param in each.params]
    if "{name}" in each.path:
        name = {"name": "name", "in": "path", "required": True, "description": each.named}
        parameters.insert(0, {**name, "schema": {"type": "string", "minLength": 1}})
    wrong = dict(WRONG)
    if "{name}" in each.path or any(param.name == "workload" for param in each.params):
        wrong["404"] = "no workload goes by that name"
    if each.body is not None:
        wrong |= {"413": "the body is too large", "415": "the body is not JSON"}
    said: dict[str, Any] = {
        "operationId": "_".join(word for word in each.path.split("/")[3:] if "{" not in word).replace("-", "_"),
        "summary": each.about,
        "parameters": parameters,
        "responses": {
            "200": {"description": "the answer", "content": _json(each.answer)},
            **{code: {"description": why, "content": _json(Problem)} for code, why in sorted(wrong.items())},
        },
        "security": [{"token": []}] if each.write else [{}, {"token": []}],
    }
    if "{name}" in each.path and each.path.startswith(f"{API}/workloads"):
        said["operationId"] = "workload"
    if each.body is not None:
        said["requestBody"] = {"required": True, "content": _json(each.body)}
    return said


def _events() -> dict[str, Any]:
    about = (
        "Server-sent events: `cycle` when a cycle has ended, `line` for every line of history, `lost` when a client "
        "was too slow for some."
    )
    workload = Param(name="workload", about="only lines of this workload, by any of its names")
    answer = {"description": "events without end", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    return {
        "operationId": "events",
        "summary": about,
        "parameters": [_parameter(workload)],
        "responses": {"200": answer},
        "security": [{}, {"token": []}],
    }


def _parameter(param: Param) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": KINDS[param.kind]}
    told = {"minimum": param.least, "maximum": param.most, "default": param.default}
    schema |= {key: value for key, value in told.items() if value is not None}
    if param.choices:
        schema["enum"] = list(param.choices)
    return {"name": param.name, "in": "query", "description": param.about, "schema": schema}


def _json(kind: type) -> Mapping[str, Any]:
    return {"application/json": {"schema": {"$ref": REFERENCE.format(name=kind.__name__)}}}
