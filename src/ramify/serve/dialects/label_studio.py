"""The machine learning interface of Label Studio, without its SDK: ``/setup``, ``/predict``, ``/webhook``, ``/health``.

A labelling configuration has one tag for labels, ``Choices`` or ``Taxonomy``, whose ``toName`` is the name of a text:

    <View><Text name="text" value="$text"/><Choices name="subject" toName="text" choice="multiple">...</Choices></View>

Labels that the tag does not list are not suggested; a tag without a list accepts all labels. Where several labels can
be chosen, those with a probability of at least 0.5 are suggested, and at least one; or the 5 best ones of a model that
is not calibrated. Label Studio has no field for the name of a model, so that the default one answers;
``/label-studio/NAME`` before the paths chooses another one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from ramify.serve.jobs import Options
from ramify.serve.problems import Problem, invalid
from ramify.serve.schemas import DEFAULT_K, check_texts, request_body
from ramify.serve.service import Service

MOST = 20
"""Suggested labels per text at most, where several can be chosen."""

LIKELY = 0.5
"""Least probability of a suggested label besides the best one."""

LONGEST = 1_000_000
"""Characters of a labelling configuration, which is parsed between the other requests."""

PREFIX = "/label-studio/{model}"

Answering = Callable[[Service, Request, str | None], Awaitable[dict[str, Any]]]
"""Answers a request for a model; the default one when None."""


class Setup(BaseModel):
    """A request to check the labelling configuration of a project; what is no text is not checked."""

    label_config: Any = None
    schema_: Any = Field(None, alias="schema")


class Event(BaseModel):
    """A note that something happened in a project."""

    action: str


class Task(BaseModel):
    """A document: its fields in ``data``."""

    data: dict[str, Any]


class Predict(BaseModel):
    """A request for suggestions."""

    tasks: list[Task]
    label_config: str


@dataclass(frozen=True)
class Tag:
    """The tag of a configuration that takes the labels.

    Parameters
    ----------
    name, text : str
        Names of the tag, and of the text tag.
    kind : {"choices", "taxonomy"}
    field : str
        Field of a task with the text.
    single : bool
        Whether one label is chosen.
    listed : tuple of str
        The labels that it lists; empty for all labels.
    """

    name: str
    text: str
    kind: str
    field: str
    single: bool
    listed: tuple[str, ...]

    @classmethod
    def of(cls, config: str) -> Tag:
        """Find it in a labelling configuration; Problem (422) if there is none."""
        if len(config) > LONGEST:
            raise Problem(422, f"the labelling configuration has more than {LONGEST:,} characters: leave choices out")
        if "<!" in config.replace("<!--", ""):  # entities could expand without end
            raise Problem(422, "the labelling configuration has a document type: leave it out")
        try:
            root = ElementTree.fromstring(config)
        except ElementTree.ParseError as error:
            raise Problem(422, f"the labelling configuration is no XML ({error})") from None
        fields = {one.get("name"): one.get("value", "") for one in root.iter() if one.tag in ("Text", "HyperText")}
        for one in root.iter():
            text = (one.get("toName") or "").split(",")[0]
            if one.tag in ("Choices", "Taxonomy") and text in fields and fields[text].startswith("$"):
                listed = tuple(found.get("value", "") for found in one.iter("Choice"))
                single = one.tag == "Choices" and one.get("choice", "single").startswith("single")
                return cls(one.get("name", ""), text, one.tag.lower(), fields[text][1:], single, listed)
        sentence = "the labelling configuration needs a Text tag with a $field, and Choices or a Taxonomy for it"
        raise Problem(422, sentence)

    def result(self, labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The labels in the form of Label Studio."""
        names = [one["label"] for one in labels]
        if not names:
            return []
        value: dict[str, Any] = {"choices": names} if self.kind == "choices" else {"taxonomy": [[one] for one in names]}
        return [{"from_name": self.name, "to_name": self.text, "type": self.kind, "value": value}]


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes, for the default model and below a prefix for the others."""
    for path, body, status, function in (
        ("/setup", Setup, 200, _setup),
        ("/predict", Predict, 200, _predict),
        ("/webhook", Event, 201, _webhook),
        ("/health", None, 200, _health),
    ):
        for prefix in ("", PREFIX):
            app.add_api_route(
                prefix + path,
                _route(service, function, with_model=bool(prefix)),
                methods=["POST" if body else "GET"],
                status_code=status,
                tags=["Label Studio"],
                operation_id=f"label_studio{'_of_model' if prefix else ''}_{path[1:]}",
                summary=function.__doc__,
                openapi_extra=request_body(body) if body else None,
            )


def _route(service: Service, function: Answering, *, with_model: bool) -> Any:
    """A function for FastAPI, which reads the parameters of a path from the signature."""

    async def of_model(request: Request, model: str) -> Any:
        return await function(service, request, model)

    async def of_default(request: Request) -> Any:
        return await function(service, request, None)

    return of_model if with_model else of_default


async def _setup(service: Service, request: Request, model: str | None) -> dict[str, str]:
    """Check the labelling configuration of a project."""
    body = _object(await request.body())
    config = body.get("schema") or body.get("label_config")
    if isinstance(config, str) and config.strip():
        Tag.of(config)
    return {"model_version": service.facts(model).version}


async def _predict(service: Service, request: Request, model: str | None) -> dict[str, Any]:
    """Labels of tasks."""
    try:
        asked = Predict.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid(error.errors()) from None
    return {"results": await _predicted(service, model, asked, request)}


async def _webhook(service: Service, request: Request, model: str | None) -> dict[str, str]:
    """Take note of an event; the model learns when it is trained on exported annotations."""
    if not isinstance(_object(await request.body()).get("action"), str):
        raise Problem(422, "action is missing: give the name of an event")
    return {"status": "ok"}


async def _health(service: Service, request: Request, model: str | None) -> dict[str, str]:
    """Whether the service answers."""
    return {"status": "UP", "model_class": service.facts(model).kind}


def _object(body: bytes) -> dict[str, Any]:
    """A JSON object; Problem (400) for anything else."""
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "the body is not valid JSON in UTF-8: send a JSON object")
    return found


async def _predicted(service: Service, model: str | None, asked: Predict, request: Request) -> list[dict[str, Any]]:
    tag, version = Tag.of(asked.label_config), service.facts(model).version
    texts = [_text(task.data.get(tag.field), tag.field) for task in asked.tasks]
    check_texts(texts, service.limits)
    allowed: tuple[str, ...] | None = None
    if tag.listed:
        allowed = tuple(from_json(await service.look_up(model, "known", list(dict.fromkeys(tag.listed)))))
    k = 1 if tag.single else MOST
    if allowed == ():
        found: list[Any] = [[] for _ in texts]
    else:
        found = await service.tagged(model, Options(k, allowed=allowed), texts, request.scope)
    return [
        {"model_version": version, "score": _best(labels), "result": tag.result(labels)}
        for labels in map(_suggested, found)
    ]


def _text(value: Any, field: str) -> str:
    """The text of a task, empty for null; Problem (422) for lists and objects."""
    if isinstance(value, list | dict):
        raise Problem(422, f"the field {field!r} of a task is no text: give a string")
    return "" if value is None else str(value)


def _suggested(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The likely labels."""
    if labels and labels[0]["probability"] is None:
        return labels[:DEFAULT_K]
    return [one for number, one in enumerate(labels) if number == 0 or one["probability"] >= LIKELY]


def _best(labels: list[dict[str, Any]]) -> float:
    """The highest probability, or score, of the labels; 0 without labels."""
    return max((one["probability"] or one["score"] or 0.0 for one in labels), default=0.0)
