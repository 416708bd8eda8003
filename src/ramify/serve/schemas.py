"""Requests and answers of the service."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ramify.answering import Predictor, refuse_beside_rule
from ramify.serve.config import Limits
from ramify.serve.jobs import Options
from ramify.serve.problems import Problem, invalid
from ramify.wording import quoted

Names = Annotated[list[str], Field(min_length=1)]

DEFAULT_K = Predictor.k
KEY_END = re.compile(rb'"\s*:')
"""Ends of keys in JSON; text may contain it, too."""


EXPLAINED = 50
"""Labels per text that have reasons in the longest texts."""


class TagRequest(BaseModel):
    """Texts to tag, and the options of ``answering.Predictor``.

    ``probabilities`` is whether labels have probabilities; None gives them where the model is calibrated.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = None
    texts: Names | None = None
    model: str | None = None
    k: int | None = Field(None, ge=1)
    threshold: float | None = Field(None, allow_inf_nan=False)
    rule: str | None = None
    allowed: Names | None = None
    forbidden: Names | None = None
    why: bool = False
    probabilities: bool | None = None
    path: bool = False

    @model_validator(mode="after")
    def _check(self) -> TagRequest:
        if (self.text is None) == (self.texts is None):
            raise ValueError("the request needs either text or texts: give one of them")
        if self.rule is not None:
            names = ("k", "threshold", "allowed", "forbidden")
            refuse_beside_rule("rule", {name: getattr(self, name) for name in names})
        return self

    @classmethod
    def parse(cls, body: bytes) -> TagRequest:
        """The request of a body.

        Raises
        ------
        Problem
            400 for what is no JSON in UTF-8, 422 for another request.
        """
        # Parsed by pydantic itself: it refuses invalid UTF-8, lone surrogates and deep nesting.
        try:
            request = cls.model_validate_json(body)
        except ValidationError as error:
            raise invalid(error.errors()) from None
        if len(KEY_END.findall(body)) != len(request.model_fields_set):
            _refuse_repeated_keys(body)
        return request

    @property
    def documents(self) -> list[str]:
        """The texts."""
        return self.texts or [self.text or ""]

    def options(self, limits: Limits) -> Options:
        """The options of the prediction; Problem (422) if the request is over a limit."""
        check_texts(self.documents, limits)
        if self.k is not None and self.k > limits.k:
            raise Problem(422, f"k is {self.k}, but must be at most {limits.k}")
        k = min(DEFAULT_K, limits.k) if self.k is None else self.k
        _check_work(self.documents, k, limits, why=self.why)
        return Options(
            k,
            self.threshold,
            self.rule,
            None if self.allowed is None else tuple(self.allowed),
            None if self.forbidden is None else tuple(self.forbidden),
            self.why,
            self.probabilities,
            self.path,
        )


def request_body(model: type[BaseModel], media_type: str = "application/json") -> dict[str, Any]:
    """Part of the description of an operation whose body is parsed by the operation itself (``openapi_extra``)."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        # References to parts of the schema do not hold where the schema is a part of a document.
        if isinstance(part, dict):
            if "$ref" in part:
                return inlined(definitions[part["$ref"].rpartition("/")[2]])
            return {name: inlined(value) for name, value in part.items()}
        return [inlined(value) for value in part] if isinstance(part, list) else part

    return {"requestBody": {"content": {media_type: {"schema": inlined(schema)}}, "required": True}}


def check_texts(texts: list[str], limits: Limits) -> None:
    """Raise Problem (422) if there are too many texts, or one is too long."""
    if len(texts) > limits.documents:
        raise Problem(422, f"there are {len(texts)} texts, but at most {limits.documents} are allowed")
    for number, text in enumerate(texts):
        if len(text) > limits.characters:
            sentence = f"text {number} has {len(text)} characters, but at most {limits.characters} are allowed"
            raise Problem(422, sentence)


def _check_work(texts: list[str], k: int, limits: Limits, *, why: bool) -> None:
    """Raise Problem (422) if a request asks for too many labels, or for too many reasons."""
    if k * len(texts) > limits.labels:
        sentence = f"{len(texts)} texts with {k} labels each are more than {limits.labels} labels"
        raise Problem(422, f"{sentence}: send fewer texts, or a smaller k")
    characters = sum(map(len, texts)) if why else 0
    if characters > limits.explained:
        sentence = f"the texts have {characters} characters, but reasons are given for {limits.explained} at most"
        raise Problem(422, f"{sentence}: leave why out")
    if characters * k > EXPLAINED * limits.explained:
        most = EXPLAINED * limits.explained // characters
        raise Problem(422, f"k is {k}, but must be at most {most} for reasons in {characters} characters")


def _refuse_repeated_keys(body: bytes) -> None:
    """Raise Problem (422) if an object has a key twice; parsers differ in which value they take."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Problem(422, f"{quoted(twice)} is given twice: leave one out")
        return found

    json.loads(body, object_pairs_hook=unique)


class Node(BaseModel):
    """A node of the label tree, with its size in leaves and its most frequent labels."""

    level: int
    node: int
    size: int
    labels: list[str]


class TreeNode(Node):
    """A node with its children; ``labels`` are all labels of a node of the last level of clusters."""

    children: list[Node]


class Why(BaseModel):
    """Strongest words for and against a label, and weights of words at offsets of the text, in Unicode code points."""

    unit: str
    for_: list[tuple[str, float]] = Field(alias="for")
    against: list[tuple[str, float]]
    spans: list[tuple[int, int, float]]


class Label(BaseModel):
    """One label of a document; ``probability`` of a calibrated model, ``why`` and ``path`` if they are asked for."""

    label: str
    key: str | None
    score: float | None
    probability: float | None
    why: Why | None
    path: list[Node] | None = None


class Document(BaseModel):
    """The labels of one text, best first."""

    labels: list[Label]


class TagAnswer(BaseModel):
    """The labels of all texts, in their order."""

    model: str
    version: str
    calibrated: bool
    documents: list[Document]


class ModelFacts(BaseModel):
    """A model of the service: ``explains`` with the weights of words, ``tree`` whether it has a label tree."""

    name: str
    version: str
    kind: str
    labels: int
    calibrated: bool
    rules: list[str]
    explains: bool
    tree: bool
    needs: list[str] = ["texts"]


class ModelsAnswer(BaseModel):
    """All models; the first one is the default. ``most_k`` is the largest number of labels per text of a request."""

    models: list[ModelFacts]
    most_k: int


class FoundLabel(BaseModel):
    """A label, with its identifier and its number of training documents where these are known."""

    label: str
    key: str | None
    documents: int | None


class LabelsAnswer(BaseModel):
    """Labels whose names match."""

    labels: list[FoundLabel]


class Sense(BaseModel):
    """One place of a label in the tree: the nodes from the top to its leaf."""

    path: list[Node]


class LabelAnswer(FoundLabel):
    """A label with its places in the label tree, and other labels of these clusters."""

    senses: list[Sense]
    siblings: list[str]


class OperatingPoint(BaseModel):
    """What a threshold of the probability gives on held-out documents; ``labels`` is their mean number per text."""

    threshold: float
    precision: float
    recall: float
    labels: float


class OperatingPointsAnswer(BaseModel):
    """From few labels to many."""

    points: list[OperatingPoint]


class Health(BaseModel):
    """State of the service."""

    status: str
