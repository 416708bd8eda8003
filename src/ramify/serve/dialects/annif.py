"""The REST interface of Annif 1.x, so that an Annif project with ``backend=http`` gets its suggestions here.

A model is a project. The subjects have the identifiers of the labels as URIs; labels without identifiers have
``urn:ramify:`` and the percent-encoded name. Notations are those of the model's vocabulary. Scores are probabilities of
a calibrated model, else scores, limited to 0..1. Errors have the status and the title that Annif gives them.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ramify.serve.jobs import Facts, Options
from ramify.serve.problems import Problem, invalid
from ramify.serve.schemas import check_texts, request_body
from ramify.serve.service import Service
from ramify.wording import quoted

DOCUMENTS = 32
"""Documents of a batch at most, as in Annif."""

URN = "urn:ramify:"
"""Beginning of the URIs of labels without identifiers: Annif's vocabularies have URIs only."""

UNKNOWN = "und"
"""Code of an undetermined language (ISO 639-2)."""


class Settings(BaseModel):
    """Fields of a request besides its texts."""

    model_config = ConfigDict(extra="ignore")

    limit: int = Field(10, ge=0)
    threshold: float = Field(0.0, ge=0.0, le=1.0, allow_inf_nan=False)
    language: str | None = None


class Form(Settings):
    """A request for one text, as form fields."""

    text: str


class Document(BaseModel):
    """A text with an optional identifier; ``metadata`` is not used."""

    text: str
    document_id: str | None = None
    metadata: dict[str, str] | None = None


class Batch(BaseModel):
    """A request for several texts."""

    documents: Annotated[list[Document], Field(max_length=DOCUMENTS)]


class Suggestion(BaseModel):
    """One subject."""

    uri: str
    label: str
    notation: str | None = None
    score: float


class Suggestions(BaseModel):
    """The subjects of a text, best first."""

    results: list[Suggestion]


class BatchSuggestions(Suggestions):
    """The subjects of one document of a batch."""

    document_id: str | None = None


class Route(APIRoute):
    """A route whose errors are those of Annif."""

    def get_route_handler(self) -> Any:
        """See fastapi.routing.APIRoute."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Any:
            try:
                return await handler(request)
            except RequestValidationError as error:
                raise _as_in_annif(invalid(error.errors()), request) from None
            except Problem as problem:
                raise _as_in_annif(problem, request) from None

        return answered


def _as_in_annif(problem: Problem, request: Request) -> Problem:
    """An unknown project has a title of its own, and an invalid request the status 400."""
    if problem.status == 404:
        name = quoted(request.path_params["project_id"])
        return Problem(404, f"Project {name} not found", title="Project not found")
    return Problem(400, problem.detail) if problem.status == 422 else problem


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes below ``/v1/projects``."""
    router = APIRouter(route_class=Route)
    _add_projects(router, service)
    _add_suggestions(router, service)
    app.include_router(router)


def _add_projects(router: APIRouter, service: Service) -> None:
    @router.get("/v1/projects", tags=["Annif"])
    async def projects() -> dict[str, Any]:
        """The models as projects of Annif."""
        return {"projects": [_project(one) for one in service.dispatcher.models.values()]}

    @router.get("/v1/projects/{project_id}", tags=["Annif"])
    async def project(project_id: str) -> dict[str, Any]:
        """One model as a project of Annif."""
        return _project(service.facts(project_id))


def _add_suggestions(router: APIRouter, service: Service) -> None:
    @router.post(
        "/v1/projects/{project_id}/suggest",
        tags=["Annif"],
        openapi_extra=request_body(Form, "application/x-www-form-urlencoded"),
    )
    async def suggest(project_id: str, request: Request) -> Suggestions:
        """Subjects of one text."""
        asked = _checked(Form, await asyncio.to_thread(_fields, await request.body()))
        [found] = await _suggested(service, project_id, asked, [asked.text], request)
        return Suggestions(results=found)

    @router.post(
        "/v1/projects/{project_id}/suggest-batch",
        tags=["Annif"],
        openapi_extra=request_body(Batch),
    )
    async def suggest_batch(
        project_id: str, request: Request, settings: Annotated[Settings, Query()]
    ) -> list[BatchSuggestions]:
        """Subjects of up to 32 texts."""
        try:
            documents = Batch.model_validate_json(await request.body()).documents
        except ValidationError as error:
            raise invalid(error.errors()) from None
        texts = [document.text for document in documents]
        found = await _suggested(service, project_id, settings, texts, request)
        return [
            BatchSuggestions(results=results, document_id=document.document_id)
            for document, results in zip(documents, found, strict=True)
        ]


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a form; Problem (400) if it is none."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise Problem(400, "the body is no form in UTF-8: send application/x-www-form-urlencoded") from None
    return dict(pairs)


def _checked(kind: type[Form], fields: dict[str, str]) -> Form:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise invalid(error.errors()) from None


async def _suggested(
    service: Service, name: str, settings: Settings, texts: list[str], request: Request
) -> list[list[Suggestion]]:
    facts = service.facts(name)
    if settings.language not in (None, "", facts.language or UNKNOWN):
        raise Problem(400, f'language "{quoted(settings.language).strip(chr(39))}" not supported by vocabulary')
    check_texts(texts, service.limits)
    if settings.limit == 0:
        return [[] for _ in texts]
    options = Options(min(settings.limit, service.limits.k), notation=True)
    found = await service.tagged(name, options, texts, request.scope)
    return [_ordered(labels, settings.threshold) for labels in found]


def _ordered(labels: list[dict[str, Any]], threshold: float) -> list[Suggestion]:
    """By descending score: probabilities may have another order than the scores that rank labels."""
    found = [one for one in map(_suggestion, labels) if one.score >= threshold]
    return sorted(found, key=lambda one: -one.score)


def _suggestion(label: dict[str, Any]) -> Suggestion:
    score = label["score"] if label["probability"] is None else label["probability"]
    uri = URN + quote(label["label"], safe="") if label["key"] is None else label["key"]
    limited = min(1.0, max(0.0, score or 0.0))
    return Suggestion(uri=uri, label=label["label"], notation=label.get("notation"), score=limited)


def _project(one: Facts) -> dict[str, Any]:
    language = one.language or UNKNOWN
    return {
        "project_id": one.name,
        "name": one.name,
        "language": language,
        "backend": {"backend_id": "ramify"},
        "vocab": {"vocab_id": one.name, "languages": [language], "size": one.labels, "loaded": True},
        "vocab_language": language,
        "is_trained": True,
        "modification_time": datetime.fromtimestamp(one.modified, timezone.utc).isoformat(),
    }
