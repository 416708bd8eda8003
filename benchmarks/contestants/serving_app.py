"""An HTTP service around a peer, as a careful user of FastAPI writes it; needs fastapi alone.

Model and vectorizer are opened once per process. The endpoint is no coroutine, so that it runs in the thread pool of
the framework, and libraries that release the interpreter lock use both cores. The answer is written by pydantic's own
encoder without a second validation, which is faster than a response model.
"""

from collections.abc import Callable, Sequence

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

Pairs = Sequence[tuple[str, float]]
"""Labels with scores, best first."""


class TagRequest(BaseModel):
    """The fields of ramify's request that every system has."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = None
    texts: list[str] | None = Field(None, min_length=1, max_length=1000)
    k: int = Field(5, ge=1, le=1000)


def make_app(answers: Callable[[list[str], int], list[Pairs]]) -> FastAPI:
    """The application; ``answers`` has the labels of each text."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.post("/v1/tag")
    def tag(asked: TagRequest) -> Response:
        if (asked.text is None) == (asked.texts is None):
            raise HTTPException(422, "the request needs either text or texts")
        texts = asked.texts or [asked.text or ""]
        documents = [
            {"labels": [{"label": label, "score": score} for label, score in pairs]}
            for pairs in answers(texts, asked.k)
        ]
        return Response(to_json({"documents": documents}), media_type="application/json")

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app
