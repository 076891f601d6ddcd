"""One endpoint of the API: what is asked, what is answered, who answers; the router and the OpenAPI are made of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import msgspec
from aiohttp import web
from msgspec import inspect

from stream.web.refusal import RefusalError

#: Answers a request.
Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
Q = TypeVar("Q", bound=msgspec.Struct)
#: ``Expected `int` >= 1 - at `$.limit``, as msgspec says it.
_MISTAKE = re.compile(r"(?P<what>.*?)(?: - at `\$\.(?P<name>\w+)`)?", re.DOTALL)


#: How msgspec names the kinds of values, and how people do.
_KINDS = {"int": "a whole number", "float": "a number", "bool": "1 or 0", "str": "text"}


#: How msgspec tells of a name that is unknown or missing, and how it is told to people.
_FIELDS = {"Object contains unknown field ": "{} is unknown", "Object missing required field ": "{} is missing"}


class NoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing but the path."""


@dataclass(frozen=True)
class Endpoint:
    """What is asked under ``path`` (its parts in braces are described in ``parts``), and what comes back.

    ``query`` is what may follow the question mark; ``answer`` the type that the body has, or its content type where it
    is no JSON; ``refusals`` are the statuses, beside those that every endpoint has, with which it may be refused;
    ``cost`` is how many ordinary requests it counts as; ``open`` ones need no token, for they tell nothing.
    ``here`` answers in whichever event loop the web server has, or leaves it to the handler, which runs in the
    worker's.
    """

    path: str
    summary: str
    handler: Handler
    answer: Any
    query: type[msgspec.Struct] = NoQuery
    parts: Mapping[str, str] | None = None
    refusals: Mapping[int, str] | None = None
    cost: float = 1.0
    open: bool = False
    here: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
    #: what the path is about, for whoever reads the description
    tag: Literal["customers", "segments", "changes", "operation"] = "operation"


def asked(request: web.Request, kind: type[Q]) -> Q:
    """What follows the question mark, typed; `RefusalError` 400 says what is wrong with it."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise RefusalError(400, f"{name} stands twice in the address: give it once")
        given[name] = value
    try:
        return msgspec.convert(given, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise RefusalError(400, _sentence(str(error), kind)) from error


def _sentence(told: str, kind: type[msgspec.Struct]) -> str:
    match = cast("re.Match[str]", _MISTAKE.fullmatch(told))
    what, name = re.sub(r"`(\w+)`", lambda kind: _KINDS.get(kind[1], kind[1]), match["what"]), match["name"]
    if name is None:
        known = ", ".join(kind.__struct_encode_fields__) or "nothing"
        for begins, says in _FIELDS.items():
            if what.startswith(begins):
                what = says.format(what.removeprefix(begins))
        return f"{what}: what can be asked for here is {known}"
    meant = _field(kind, name)
    if isinstance(meant, inspect.LiteralType):
        *others, last = sorted(map(str, meant.values), key=lambda one: (len(one), one))
        return f"{name}: expected {', '.join(others)} or {last}"
    if what.startswith("Expected text matching regex"):
        return f"{name}: send `next` of the answer before as it came, or leave it out to begin"
    return f"{name}: {what[:1].lower()}{what[1:].removesuffix(', got text')}"


def _field(kind: type[msgspec.Struct], name: str) -> inspect.Type | None:
    """What may stand for a name, beside nothing at all."""
    info = cast("inspect.StructType", inspect.type_info(kind))
    found: inspect.Type | None = next((one.type for one in info.fields if one.encode_name == name), None)
    while isinstance(found, inspect.Metadata | inspect.UnionType):
        if isinstance(found, inspect.Metadata):
            found = found.type
        else:
            found = next((one for one in found.types if not isinstance(one, inspect.NoneType)), None)
    return found


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")
