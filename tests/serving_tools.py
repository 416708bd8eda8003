"""Requests to the application of a service, without a network."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx


def finished(coroutine):
    """The result of a coroutine, run in a thread of its own: a test of the browser leaves a running event loop here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def ask(app, method, path, **options):
    """The answer to one request."""

    async def asked():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, **options)

    return finished(asked())


def problem(answer, status):
    """The sentence of a refused request."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert "\n" not in body["detail"]
    return body["detail"]
