"""The routes of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.responses import Response
from starlette.types import Scope, Send

from ramify import __version__
from ramify.errors import InputError
from ramify.serve import pages, schemas
from ramify.serve.batching import Dispatcher
from ramify.serve.config import Limits
from ramify.serve.dialects import annif, kserve, label_studio
from ramify.serve.hosting import Hosted
from ramify.serve.jobs import Texts
from ramify.serve.keys import Keys
from ramify.serve.limits import Guard
from ramify.serve.metrics import MEDIA_TYPE, Metrics
from ramify.serve.problems import REFUSALS, Problem, add_handlers
from ramify.serve.processes import Processes
from ramify.serve.reloading import Watch
from ramify.serve.service import Service, gone_from
from ramify.serve.threads import ThreadLink

JSON = "application/json"
TAG = "/v1/tag"
Model = Annotated[str | None, Query(description="Name of the model; the first one when left out.")]


def create_app(
    models: Mapping[str, Hosted] | Processes, limits: Limits | None = None, keys: Keys | None = None
) -> Guard:
    """The ASGI application of a service.

    Parameters
    ----------
    models : mapping of str to Hosted, or Processes
        Models by name (``host``), which answer in one thread of this process; or processes that hold the models, and
        follow changes of the model directories. The first model is the default of requests.
    limits : Limits, optional
        Those of the processes, or default limits, when None.
    keys : Keys, optional
        Accepted API keys; requests need no key when None.

    Raises
    ------
    InputError
        No model.
    """
    if isinstance(models, Processes):
        dispatcher, limits = models.dispatcher, limits or models.dispatcher.limits
    else:
        limits = limits or Limits()
        dispatcher = _in_a_thread(models, limits)
    service, metrics = Service(dispatcher, limits), Metrics(dispatcher)
    app = _routes(service, metrics, _lifespan(models if isinstance(models, Processes) else None))

    async def tag(scope: Scope, body: bytes, send: Send) -> None:
        await _send_tags(service, scope, body, send)

    return Guard(app, limits=limits, keys=keys, direct={("POST", TAG): tag}, count=metrics.count)


def _routes(service: Service, metrics: Metrics, lifespan: Any) -> FastAPI:
    # The reference pages of FastAPI load scripts from other servers: ``pages`` has one without.
    app = FastAPI(
        title="ramify",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=REFUSALS,
        lifespan=lifespan,
    )
    add_handlers(app)
    _add_tagging(app, service)
    _add_facts(app, service)
    _add_health(app, service, metrics)
    for dialect in (annif, label_studio, kserve):
        dialect.add_routes(app, service)
    pages.add_routes(app)
    return app


def _in_a_thread(hosted: Mapping[str, Hosted], limits: Limits) -> Dispatcher:
    if not hosted:
        raise InputError("no model is given: give at least one")
    dispatcher = Dispatcher([one.facts for one in hosted.values()], limits)
    dispatcher.links.append(ThreadLink(dispatcher, hosted))
    return dispatcher


def _lifespan(processes: Processes | None) -> Any:
    """Connect the processes when the server starts, watch the models, and end the processes when it stops."""
    import asyncio

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if processes is None:
            yield
            return
        await processes.start()
        watching = asyncio.create_task(Watch(processes.places, processes.open_again, processes.identities).run())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await processes.stop()

    return lifespan


async def _send_tags(service: Service, scope: Scope, body: bytes, send: Send) -> None:
    """Answer ``POST /v1/tag`` without a framework."""
    asked = schemas.TagRequest.parse(body)
    job = Texts(asked.options(service.limits), asked.documents)
    waiting = await service.run(asked.model, job, len(body), gone_from(scope))
    answer = waiting.future.result()
    scope["ramify.held"].add(len(answer))
    queued, inference = f"{1000 * waiting.queued:.3f}", f"{1000 * waiting.inference:.3f}"
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
        (b"x-queue-ms", queued.encode()),
        (b"x-inference-ms", inference.encode()),
        (b"server-timing", f"queue;dur={queued}, inference;dur={inference}".encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def _add_tagging(app: FastAPI, service: Service) -> None:
    @app.post(TAG, openapi_extra=schemas.request_body(schemas.TagRequest))
    async def tag_texts(request: Request) -> schemas.TagAnswer:
        """Tag one text or several."""
        raise Problem(404, "the service answers this path before its routes are searched")  # see ``Guard.direct``


def _add_facts(app: FastAPI, service: Service) -> None:
    @app.get("/v1/models")
    async def models() -> schemas.ModelsAnswer:
        """The models of this service."""
        names = schemas.ModelFacts.model_fields.keys() - {"needs"}
        found = [one._asdict() for one in service.dispatcher.models.values()]
        models = [schemas.ModelFacts(**{name: one[name] for name in names}) for one in found]
        return schemas.ModelsAnswer(models=models, most_k=service.limits.k)

    @app.get("/v1/labels", response_model=schemas.LabelsAnswer)
    async def labels(
        q: Annotated[str, Query(max_length=200)] = "",
        model: Model = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> Response:
        """Labels by the beginning of their name or of a word in it."""
        return Response(await service.look_up(model, "labels", q, limit), media_type=JSON)

    @app.get("/v1/label", response_model=schemas.LabelAnswer)
    async def label(label: Annotated[str, Query(max_length=10_000)], model: Model = None) -> Response:
        """A label by its name or identifier, with its places in the label tree."""
        return Response(await service.look_up(model, "label", label), media_type=JSON)

    @app.get("/v1/tree", response_model=schemas.TreeNode)
    async def tree(
        model: Model = None,
        level: Annotated[int, Query(ge=-1, le=1_000)] = -1,
        node: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    ) -> Response:
        """A node of the label tree with its children; level -1, the default, is the root above level 0."""
        return Response(await service.look_up(model, "tree", level, node), media_type=JSON)

    @app.get("/v1/operating-points", response_model=schemas.OperatingPointsAnswer)
    async def operating_points(model: Model = None) -> Response:
        """Precision and recall by the threshold of the probability, on the held-out documents of the calibration."""
        return Response(await service.look_up(model, "operating_points"), media_type=JSON)


def _add_health(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/health/live")
    async def live() -> schemas.Health:
        """Whether the service answers."""
        return schemas.Health(status="live")

    app.add_api_route("/health/live", live, methods=["HEAD"], include_in_schema=False)

    @app.get("/health/ready")
    async def ready() -> schemas.Health:
        """Whether every model can be used."""
        service.check_ready()
        return schemas.Health(status="ready")

    app.add_api_route("/health/ready", ready, methods=["HEAD"], include_in_schema=False)

    @app.get("/metrics", response_class=Response)
    async def counts() -> Response:
        """Counts in the text format of Prometheus."""
        return Response(metrics.text(), media_type=MEDIA_TYPE)
