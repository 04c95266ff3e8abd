# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An endpoint for each request (`registry.ALL`): a POST whose body has the request's fields makes a task."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import APIRouter, Body, Header, HTTPException, Path, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, create_model

from transproc.controller.api.access import Caller, Controller, expect
from transproc.controller.api.models import TaskModel
from transproc.controller.requests.base import Meaning, Request
from transproc.controller.requests.registry import ALL
from transproc.controller.service import Service
from transproc.controller.tokens import Token

LONGEST_WAIT = 60.0
"""Seconds that an answer may be held back for a task's end."""

LONGEST_KEY = 100
"""Characters of a key."""

router = APIRouter(tags=["operations"])
Wait = Annotated[
    float,
    Query(ge=0, le=LONGEST_WAIT, description="Answer when the task has ended, or so many seconds later."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=LONGEST_KEY,
        description="Made up by whoever asks, once for each request. Who asks again with it, since no answer has come, is"
        " answered with the task of the first time: it is never begun twice.",
    ),
]
Name = Annotated[str, Path(max_length=40, description="The job's name.")]


def body_of(kind: type[Request]) -> type[BaseModel]:
    """The model of a request's body: its fields but for what is in the path, with what their `Meaning` says."""
    fields: dict[str, Any] = {}
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if f"{{{field.name}}}" in kind.path:
            continue
        default = ... if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields[field.name] = (_described(hints[field.name]), default)
    return create_model(f"{kind.__name__}Body", __config__=ConfigDict(extra="forbid"), **fields)


def _described(hint: Any) -> Any:
    """With pydantic's words for what a `Meaning` says."""
    if get_origin(hint) is not Annotated:
        return hint
    plain, meaning = get_args(hint)[0], next(note for note in get_args(hint) if isinstance(note, Meaning))
    if get_origin(plain) in (Sequence, Mapping):
        return Annotated[plain, Field(description=meaning.text, max_length=meaning.longest)]
    kinds = set(get_args(plain) or (plain,))
    words: dict[str, Any] = {"description": meaning.text}
    if kinds & {int, float}:
        words |= {"ge": meaning.least, "le": meaning.most}
    if float in kinds:
        words["allow_inf_nan"] = False
    if str in kinds:
        words["max_length"] = meaning.longest
    return Annotated[plain, Field(**words)]


async def _begin(  # noqa: PLR0917
    kind: type[Request],
    service: Service,
    token: Token,
    response: Response,
    words: Mapping[str, Any],
    wait: float,
    key: str | None,
) -> TaskModel:
    expect(token, kind.role)
    try:
        request = kind(**words)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    response.headers["X-Transproc-Events"] = service.stream.mark(service.stream.last)
    task = await service.ask(service.submit, request, token, key)
    response.headers["Location"] = f"/api/v1/tasks/{task.number}"
    if wait:
        task = await service.tasks.end_of(task.number, wait)
    response.status_code = 200 if task.state.ended else 202
    return TaskModel.model_validate(task)


def _given(words: Any) -> dict[str, Any]:
    """Raises RequestValidationError for JSON's null where something is required: FastAPI leaves the default."""
    if words is ...:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    return dict(words)


def endpoint(kind: type[Request]) -> Callable[..., Any]:
    """The function that answers: its parameters are what FastAPI makes the description from."""
    body = body_of(kind)
    fields = body.model_fields.values()
    # a body that may be empty may be left out
    default: Any = ... if any(field.is_required() for field in fields) else body()

    if "{name}" not in kind.path:

        async def begin(
            *,
            service: Controller,
            token: Caller,
            response: Response,
            words: Annotated[body, Body()] = default,  # type: ignore[valid-type]
            wait: Wait = 0.0,
            idempotency_key: IdempotencyKey = None,
        ) -> TaskModel:
            return await _begin(kind, service, token, response, _given(words), wait, idempotency_key)

        return begin

    async def begin_with(
        *,
        service: Controller,
        token: Caller,
        response: Response,
        name: Name,
        words: Annotated[body, Body()] = default,  # type: ignore[valid-type]
        wait: Wait = 0.0,
        idempotency_key: IdempotencyKey = None,
    ) -> TaskModel:
        words = {"name": name, **_given(words)}
        return await _begin(kind, service, token, response, words, wait, idempotency_key)

    return begin_with


for _kind in ALL:
    _title, _, _text = (inspect.getdoc(_kind) or "").partition("\n")
    router.add_api_route(
        _kind.path,
        endpoint(_kind),
        methods=["POST"],
        status_code=202,
        response_model=TaskModel,
        operation_id=_kind.kind,
        summary=_title,
        description=f"{_title}\n{_text}\nNeeds the role *{_kind.role}*.",
        responses={200: {"model": TaskModel, "description": "The task has ended (`wait`)."}},
    )
