"""The description of the API (OpenAPI 3.1), made of the endpoints and the types of their answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web

from stream.web.endpoint import Endpoint, NoQuery, asked, json

_REF = "#/components/schemas/{name}"
#: What any question may be refused with.
_ALWAYS = {400: "what is asked is not understood", 429: "too many requests: wait as long as Retry-After says"}
_GUARDED = {401: "a token is needed", 403: "asked under a name that is not this machine's, without a token"}
_TAGS = {
    "customers": "One customer.",
    "segments": "All customers: sizes, flows, members, clusters.",
    "changes": "Segment changes as they are written.",
    "operation": "For whoever runs the workers.",
}


class Refusal(msgspec.Struct):
    """Why a question is not answered, in a sentence."""

    error: str


class Description:
    """Answers what there is to ask, itself included."""

    def __init__(self, endpoints: Iterable[Endpoint], *, token: bool) -> None:
        own = Endpoint(
            "/openapi.json", "This description.", self.description, dict[str, Any], cost=2, open=True, tag="operation"
        )
        self.endpoints = [*endpoints, own]
        self.document = describe(self.endpoints, token=token)

    async def description(self, request: web.Request) -> web.Response:
        """The document."""
        asked(request, NoQuery)
        return json(self.document)


def describe(endpoints: Iterable[Endpoint], *, token: bool) -> dict[str, Any]:
    """The document; ``token``: whether one must be sent."""
    found = list(endpoints)
    types = [one.answer for one in found if not isinstance(one.answer, str)]
    schemas, components = msgspec.json.schema_components([*types, Refusal], ref_template=_REF)
    *answers, refusal = schemas
    by_type = iter(answers)
    paths = {}
    for one in found:
        content = one.answer if isinstance(one.answer, str) else "application/json"
        schema = {"type": "string"} if isinstance(one.answer, str) else next(by_type)
        paths[one.path] = {"get": _operation(one, {content: {"schema": schema}}, refusal, token=token)}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "segstream",
            "version": version("segstream"),
            "description": "Any worker answers for any customer. Instants are of event time, ISO 8601 in UTC.",
        },
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": components},
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    found_in_json: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))  # no tuples
    return found_in_json


def _operation(one: Endpoint, content: Mapping[str, Any], refusal: Mapping[str, Any], *, token: bool) -> dict[str, Any]:
    refusals = {**_ALWAYS, **({} if one.open else _GUARDED), **(one.refusals or {})}
    told = {"application/json": {"schema": refusal}}
    own = {503: {"description": (one.refusals or {}).get(503, ""), "content": content}} if _health(one) else {}
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": content}}
    for status, why in sorted(refusals.items()):
        responses[str(status)] = own.get(status) or {"description": why, "content": told}
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", one.path).strip("_"),
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": [*_parts(one), *_query(one.query)],
        "responses": responses,
    }
    if token and not one.open:
        operation["security"] = [{"token": []}]
    return operation


def _health(one: Endpoint) -> bool:
    """Whether it says the same kind of thing when it is not well."""
    return one.path.startswith("/health/")


def _parts(one: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in (one.parts or {}).items()
    ]


def _query(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """What may follow the question mark, as parameters: each with its description, none with null."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template=_REF)
    own = components[schema["$ref"].rpartition("/")[2]]
    return [_parameter(name, one, name in own["required"]) for name, one in own["properties"].items()]


def _parameter(name: str, schema: Mapping[str, Any], required: bool) -> dict[str, Any]:
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    bare = dict(kinds[0] if kinds else schema)
    description = bare.pop("description", schema.get("description", ""))
    bare.pop("default", None)
    default = schema.get("default")
    if default is not None:
        bare["default"] = default
    if bare.get("type") == "boolean":
        bare = {"type": "integer", "enum": [0, 1], "default": int(bool(default))}
    return {"name": name, "in": "query", "required": required, "description": description, "schema": bare}
