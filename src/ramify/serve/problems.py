"""Errors as ``application/problem+json`` (RFC 9457): type, title, status, and one sentence as detail."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ramify.errors import RamifyError
from ramify.wording import quoted

MEDIA_TYPE = "application/problem+json"
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Phrases of RFC 9110, which Python before 3.13 does not have."""

UNEXPECTED = "the service failed to answer this request: see its log"
PREFIX = "Value error, "
"""What pydantic writes before the message of a validator."""


_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence."},
    },
    "required": ["type", "title", "status", "detail"],
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": TITLES.get(status) or HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": _SCHEMA}},
    }
    for status in (400, 401, 404, 405, 408, 413, 422, 431, 500, 503)
}
"""Answers to refused requests, for the OpenAPI document."""


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A refused request.

    Parameters
    ----------
    status : int
        HTTP status.
    detail : str
        One sentence.
    headers : mapping of str to str, optional
        More headers of the answer.
    title : str, optional
        Phrase of the status when None.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, title: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})
        self.title = title or TITLES.get(status) or HTTPStatus(status).phrase

    def body(self) -> dict[str, Any]:
        """The problem document."""
        return {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}

    def response(self) -> Response:
        """The answer to the request."""
        content = json.dumps(self.body(), ensure_ascii=False).encode("utf-8", "replace")
        return Response(content, self.status, self.headers, MEDIA_TYPE)


class ClientLeftError(Exception):
    """The client has closed the connection, so that nobody reads an answer."""


def invalid(errors: Sequence[Any]) -> Problem:
    """The problem of a request that pydantic refuses: 400 if it is no JSON, else 422 with its first error."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return Problem(400, "the body is not valid JSON in UTF-8: send a JSON object")
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    name = quoted(where).strip("'") if where else "the body"
    if first["type"] == "extra_forbidden":
        return Problem(422, f"{name} is not a field of this request: leave it out")
    if first["type"] == "missing":
        return Problem(422, f"{name} is missing: give it")
    message = str(first["msg"])
    if message.startswith(PREFIX):
        return Problem(422, message.removeprefix(PREFIX))
    value = "a JSON object" if isinstance(first["input"], dict) else quoted(first["input"])
    return Problem(422, f"{name} is {value}, but {message[:1].lower()}{message[1:]}")


def add_handlers(app: FastAPI) -> None:
    """Answer the known errors of an app with problems."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RamifyError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


def _refused(request: Request, error: Exception) -> Response:
    return Problem(422, str(error)).response()


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid(error.errors()).response()


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {
        404: f"there is no {quoted(request.url.path)} in this service",
        405: f"{request.method} is not possible for {quoted(request.url.path)}",
    }
    return Problem(error.status_code, details.get(error.status_code, str(error.detail)), error.headers).response()
