"""The inference protocol of KServe, version 2 (Open Inference Protocol): texts in, labels and scores out."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field, ValidationError

from ramify import __version__
from ramify.serve.problems import Problem, invalid
from ramify.serve.schemas import TagRequest, request_body
from ramify.serve.service import Service


class Input(BaseModel):
    """A vector of texts."""

    name: str
    shape: list[int]
    datatype: Literal["BYTES"]
    data: list[str]


class Inference(BaseModel):
    """A request; ``parameters`` may have k and threshold."""

    id: str | None = None
    inputs: list[Input] = Field(min_length=1, max_length=1)
    parameters: dict[str, Any] = {}


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes below ``/v2``."""
    _add_health(app, service)

    @app.get("/v2/models/{model}", tags=["KServe"])
    async def metadata(model: str) -> dict[str, Any]:
        texts = {"name": "text", "datatype": "BYTES", "shape": [-1]}
        outputs = [{"name": n, "datatype": t, "shape": [-1, -1]} for n, t in (("labels", "BYTES"), ("scores", "FP32"))]
        facts = service.facts(model)
        return {
            "name": model,
            "versions": [facts.version],
            "platform": "ramify",
            "inputs": [texts],
            "outputs": outputs,
        }

    @app.post("/v2/models/{model}/infer", tags=["KServe"], openapi_extra=request_body(Inference))
    async def infer(model: str, request: Request) -> dict[str, Any]:
        asked, chosen = _checked(await request.body())
        texts = chosen.documents
        found = await service.tagged(model, chosen.options(service.limits), texts, request.scope)
        answer = {"model_name": model, "model_version": service.facts(model).version, "outputs": _outputs(found)}
        return answer if asked.id is None else answer | {"id": asked.id}


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/v2/health/live", tags=["KServe"])
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready", tags=["KServe"])
    async def ready() -> dict[str, bool]:
        service.check_ready()
        return {"ready": True}

    @app.get("/v2", tags=["KServe"])
    async def server() -> dict[str, Any]:
        return {"name": "ramify", "version": __version__, "extensions": []}

    @app.get("/v2/models/{model}/ready", tags=["KServe"])
    async def model_ready(model: str) -> dict[str, Any]:
        name = service.facts(model).name
        if not service.dispatcher.holds(name):
            raise Problem(503, f"no process holds the model {name!r}: wait until one is started", {"Retry-After": "1"})
        return {"name": name, "ready": True}


def _checked(body: bytes) -> tuple[Inference, TagRequest]:
    """A request, and the one of ``POST /v1/tag`` with the same texts and parameters."""
    try:
        asked = Inference.model_validate_json(body)
        wanted = {name: asked.parameters[name] for name in ("k", "threshold") if name in asked.parameters}
        chosen = TagRequest(texts=asked.inputs[0].data, **wanted)
    except ValidationError as error:
        raise invalid(error.errors()) from None
    if asked.inputs[0].shape != [len(chosen.documents)]:
        sentence = f"the shape of the input is {asked.inputs[0].shape}, but must be [{len(chosen.documents)}]"
        raise Problem(422, f"{sentence}, the number of texts")
    return asked, chosen


def _outputs(found: list[Any]) -> list[dict[str, Any]]:
    """Labels and scores, one row per text, all as long as the longest one."""
    width = max(map(len, found))
    names = [name for row in found for name in [*(one["label"] for one in row), *[""] * (width - len(row))]]
    scores = [score for row in found for score in [*(one["score"] for one in row), *[0.0] * (width - len(row))]]
    shape = [len(found), width]
    return [
        {"name": "labels", "datatype": "BYTES", "shape": shape, "data": names},
        {"name": "scores", "datatype": "FP32", "shape": shape, "data": scores},
    ]
