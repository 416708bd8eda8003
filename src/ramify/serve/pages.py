"""Pages of the service: the page at ``/``, and a reference of the requests at ``/docs`` without scripts."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from ramify.serve.page_files import HEADERS, page_file
from ramify.serve.problems import Problem
from ramify.wording import quoted

POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'self'", "X-Content-Type-Options": "nosniff"}


def add_routes(app: FastAPI) -> None:
    """Add the routes of the pages."""

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index(request: Request) -> Response:
        return _file("index.html", request)

    @app.api_route("/page/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def file(name: str, request: Request) -> Response:
        return _file(name, request)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(reference(app.openapi()), media_type="text/html", headers=POLICY)


def _file(name: str, request: Request) -> Response:
    """A file of the page by its name; 304 without it if the browser has it."""
    found = page_file(name)
    if found is None:
        raise Problem(404, f"there is no {quoted(request.url.path)} in this service")
    headers = {**HEADERS, "ETag": found.etag}
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if found.etag in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)


def reference(schema: dict[str, Any]) -> str:
    """A page with the requests of an OpenAPI schema."""
    parts = []
    for path, methods in schema["paths"].items():
        for method, one in methods.items():
            heading = f"<h2>{method.upper()} {escape(path)}</h2>"
            parts.append(f"{heading}<p>{escape(one.get('description') or one.get('summary', ''))}</p>{_fields(one)}")
    title = escape(f"{schema['info']['title']} {schema['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f'<h1>{title}</h1><p><a href="openapi.json">OpenAPI</a></p>{"".join(parts)}</body></html>'
    )


def _fields(one: dict[str, Any]) -> str:
    """Parameters and fields of the body as a list."""
    names = [(found["name"], found.get("description", "")) for found in one.get("parameters", ())]
    for content in one.get("requestBody", {}).get("content", {}).values():
        names += [(name, "") for name in content.get("schema", {}).get("properties", ())]
    rows = [f"<li><code>{escape(name)}</code> {escape(text)}</li>" for name, text in names]
    return f"<ul>{''.join(rows)}</ul>" if rows else ""
