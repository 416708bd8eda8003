"""The requests of all dialects: a model by its name, labels of texts, and facts of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_core import from_json
from starlette.types import Scope

from ramify.serve.batching import Dispatcher, Waiting
from ramify.serve.config import Limits
from ramify.serve.jobs import LEFT, Call, Facts, Job, Options, Refusal, Texts
from ramify.serve.problems import ClientLeftError, Problem
from ramify.wording import quoted


class Service:
    """The models of a service, as its routes use them.

    Parameters
    ----------
    dispatcher : Dispatcher
        Answers requests.
    limits : Limits
    """

    def __init__(self, dispatcher: Dispatcher, limits: Limits) -> None:
        self.dispatcher, self.limits = dispatcher, limits

    def facts(self, name: str | None = None) -> Facts:
        """The model of a name, or the default one; Problem (404) for an unknown name."""
        models = self.dispatcher.models
        if name is None:
            return next(iter(models.values()))
        if name not in models:
            raise Problem(404, f"there is no model {quoted(name)}: use one of {', '.join(models)}")
        return models[name]

    def check_ready(self) -> None:
        """Raise Problem (503) unless every model can be used."""
        if not self.dispatcher.is_ready:
            raise Problem(503, "no process holds all models: wait until one is started", {"Retry-After": "1"})

    async def run(self, model: str | None, job: Job, size: int, gone: Callable[[], bool] | None) -> Waiting:
        """A request with its answer, which is no refusal.

        Parameters
        ----------
        model : str or None
            Name of the model; the default one when None.
        job : Texts or Call
        size : int
            Bytes of the request.
        gone : callable or None
            Returns whether the client has left (``gone_from``).

        Raises
        ------
        Problem
            An unknown model, or a refusal.
        ClientLeftError
            The client has left before the request was computed.
        """
        waiting = await self.dispatcher.answer(self.facts(model).name, job, size, gone)
        answer = waiting.future.result()
        if isinstance(answer, Refusal):
            if answer.status == LEFT:
                raise ClientLeftError
            raise Problem(*answer, {"Retry-After": "1"} if answer.status == 503 else None)
        return waiting

    async def look_up(self, model: str | None, name: str, *arguments: Any) -> bytes:
        """The JSON answer of a function of ``lookups``."""
        answer = (await self.run(model, Call(name, arguments), 0, None)).future.result()
        assert isinstance(answer, bytes)
        return answer

    async def tagged(self, model: str | None, options: Options, texts: list[str], scope: Scope) -> list[Any]:
        """The labels of each text, as in ``documents`` of ``POST /v1/tag``; for other dialects."""
        if not texts:
            return []
        size = sum(map(len, texts))
        answer = (await self.run(model, Texts(options, texts), size, gone_from(scope))).future.result()
        assert isinstance(answer, bytes)
        return [document["labels"] for document in from_json(answer)["documents"]]


def gone_from(scope: Scope) -> Callable[[], bool] | None:
    """A function that returns whether the client of a request has left; None if the server does not report it."""
    transport = scope.get("ramify.transport")
    return None if transport is None else transport.is_closing
