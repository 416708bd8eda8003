"""Requests and answers of the service."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ramify.serve.config import Limits
from ramify.serve.problems import Problem

Names = Annotated[list[str], Field(min_length=1)]


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

    @model_validator(mode="after")
    def _check(self) -> TagRequest:
        if (self.text is None) == (self.texts is None):
            raise ValueError("the request needs either text or texts: give one of them")
        for name in ("k", "threshold", "allowed", "forbidden") if self.rule is not None else ():
            if getattr(self, name) is not None:
                raise ValueError(f"{name} and rule are given, but the rule chooses the labels: leave one out")
        return self

    @property
    def documents(self) -> list[str]:
        """The texts."""
        return self.texts or [self.text or ""]

    def check(self, limits: Limits) -> None:
        """Raise Problem (422) if the request is over a limit."""
        if len(self.documents) > limits.documents:
            raise Problem(422, f"there are {len(self.documents)} texts, but at most {limits.documents} are allowed")
        for number, text in enumerate(self.documents):
            if len(text) > limits.characters:
                sentence = f"text {number} has {len(text)} characters, but at most {limits.characters} are allowed"
                raise Problem(422, sentence)
        if self.k is not None and self.k > limits.k:
            raise Problem(422, f"k is {self.k}, but must be at most {limits.k}")


class Why(BaseModel):
    """Strongest words for and against a label, and weights of words at offsets of the text, in Unicode code points."""

    unit: str
    for_: list[tuple[str, float]] = Field(alias="for")
    against: list[tuple[str, float]]
    spans: list[tuple[int, int, float]]


class Label(BaseModel):
    """One label of a document; ``probability`` of a calibrated model, ``why`` if the request has it."""

    label: str
    key: str | None
    score: float
    probability: float | None
    why: Why | None


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
    """A model of the service."""

    name: str
    version: str
    kind: str
    labels: int
    calibrated: bool
    rules: list[str]


class ModelsAnswer(BaseModel):
    """All models; the first one is the default."""

    models: list[ModelFacts]


class FoundLabel(BaseModel):
    """A label, with its identifier and its number of training documents where these are known."""

    label: str
    key: str | None
    documents: int | None


class LabelsAnswer(BaseModel):
    """Labels whose names match."""

    labels: list[FoundLabel]


class Health(BaseModel):
    """State of the service."""

    status: str
