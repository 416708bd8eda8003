"""The routes of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import FastAPI, Query, Request
from pydantic import ValidationError

from ramify import __version__
from ramify.checks.arguments import thread_count
from ramify.errors import InputError
from ramify.serve import schemas
from ramify.serve.config import Limits
from ramify.serve.hosting import Hosted
from ramify.serve.keys import Keys
from ramify.serve.limits import Guard
from ramify.serve.problems import Problem, add_handlers, invalid
from ramify.serve.tagging import tag
from ramify.wording import quoted

Result = TypeVar("Result")
TAG_BODY = {"content": {"application/json": {"schema": schemas.TagRequest.model_json_schema()}}, "required": True}


def create_app(hosted: Mapping[str, Hosted], limits: Limits | None = None, keys: Keys | None = None) -> FastAPI:
    """The ASGI application of a service.

    Parameters
    ----------
    hosted : mapping of str to Hosted
        Models by name (``host``); the first one is the default of requests.
    limits : Limits, optional
        Default limits when None.
    keys : Keys, optional
        Accepted API keys; requests need no key when None.

    Raises
    ------
    InputError
        No model.
    """
    if not hosted:
        raise InputError("no model is given: give at least one")
    limits = limits or Limits()
    # The reference pages of FastAPI load scripts from other servers, so only the schema is offered.
    app = FastAPI(title="ramify", version=__version__, docs_url=None, redoc_url=None)
    add_handlers(app)
    app.add_middleware(Guard, limits=limits, keys=keys)
    _add_tagging(app, hosted, limits)
    _add_facts(app, hosted)
    return app


def _add_tagging(app: FastAPI, hosted: Mapping[str, Hosted], limits: Limits) -> None:
    threads = anyio.CapacityLimiter(thread_count(None))

    @app.post("/v1/tag", openapi_extra={"requestBody": TAG_BODY})
    async def tag_texts(request: Request) -> schemas.TagAnswer:
        """Tag one text or several."""
        # Parsed by pydantic itself: it refuses NaN, invalid UTF-8 and deep nesting.
        try:
            asked = schemas.TagRequest.model_validate_json(await request.body())
        except ValidationError as error:
            raise invalid(error.errors()) from None
        asked.check(limits)
        return await _in_thread(partial(tag, _model(hosted, asked.model), asked), threads)


def _add_facts(app: FastAPI, hosted: Mapping[str, Hosted]) -> None:
    threads = anyio.CapacityLimiter(1)

    @app.get("/v1/models")
    async def models() -> schemas.ModelsAnswer:
        """The models of this service."""
        return schemas.ModelsAnswer(models=[_facts(one) for one in hosted.values()])

    @app.get("/v1/labels")
    async def labels(
        q: Annotated[str, Query(max_length=200)] = "",
        model: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> schemas.LabelsAnswer:
        """Labels by the beginning of their name or of a word in it."""
        return await _in_thread(partial(_labels, _model(hosted, model), q, limit), threads)

    @app.get("/health/live")
    async def live() -> schemas.Health:
        """Whether the service answers."""
        return schemas.Health(status="live")

    @app.get("/health/ready")
    async def ready() -> schemas.Health:
        """Whether the models are open, which they are before the service starts."""
        return schemas.Health(status="ready")


async def _in_thread(work: Callable[[], Result], threads: Any) -> Result:
    return await anyio.to_thread.run_sync(work, limiter=threads)


def _model(hosted: Mapping[str, Hosted], name: str | None) -> Hosted:
    if name is None:
        return next(iter(hosted.values()))
    if name not in hosted:
        raise Problem(404, f"there is no model {quoted(name)}: use one of {', '.join(hosted)}")
    return hosted[name]


def _facts(one: Hosted) -> schemas.ModelFacts:
    return schemas.ModelFacts(
        name=one.name,
        version=one.version,
        kind=one.kind,
        labels=len(one.tagger.label_names_),
        calibrated=one.calibrated,
        rules=one.rules,
    )


def _labels(one: Hosted, query: str, limit: int) -> schemas.LabelsAnswer:
    tagger = one.tagger
    keys, counts = tagger.label_keys_, tagger.label_counts_
    found = [
        schemas.FoundLabel(
            label=tagger.label_names_[number],
            key=None if keys is None else keys[number],
            documents=None if counts is None else int(counts[number]),
        )
        for number in one.search.find(query, limit)
    ]
    return schemas.LabelsAnswer(labels=found)
