"""The catalogue: one entry for every class that ramify can train, save and load by name.

The public names of ``ramify`` and ``ramify.models``, the classes allowed in a model directory, the models and parts of
the command line, the classes of the presets and the tables of the documentation are derived from it. A new model needs
its module and one entry here.

Entries contain only strings, so that importing the catalogue imports no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ramify.errors import InputError, MissingExtraError
from ramify.wording import nearest_name, quoted

MODEL, WRAPPER, MATCHER, RANKER, VECTORIZER = "model", "wrapper", "matcher", "ranker", "vectorizer"
INDEXER, REPRESENTATION = "indexer", "representation"

EXTRA_MODULES = {"torch": "torch", "ann": "usearch"}
"""The module that each extra installs."""

HUB = "ramify.hub"
"""Package of a higher layer that methods of ``Tagger`` import by name when they are called."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One class.

    Parameters
    ----------
    name : str
        Class name, as stored in a model directory.
    module : str
        Module that defines it.
    roles : dict of str to str
        Roles of the class, each with its name in settings and on the command line: "model" (trained by
        ``ramify train --model``), "wrapper" (a model around another model), "matcher" and "ranker" (stages of
        ``Partitioned``), "vectorizer", "indexer" and "representation" (label vectors for the indexer).
    summary : str
        One sentence for help pages and tables.
    extra : str, optional
        Extra that installs its dependencies, as in ``pip install "ramify[torch]"``.
    public : bool, default True
        Whether ``ramify`` exports it.
    """

    name: str
    module: str
    summary: str
    roles: Mapping[str, str] = field(default_factory=dict)
    extra: str | None = None
    public: bool = True

    def load(self) -> Any:
        """Import the module and return the class."""
        return getattr(import_module(self.module), self.name)

    def check_installed(self) -> None:
        """Raise MissingExtraError if the extra of the class is not installed; nothing is imported."""
        if self.extra is not None and find_spec(EXTRA_MODULES[self.extra]) is None:
            raise MissingExtraError(f"models with {self.name}", self.extra)


ENTRIES: list[Entry] = [
    Entry(
        name="Tagger",
        module="ramify.tagger",
        summary="A vectorizer, a model and label names: ranks label names for texts.",
    ),
    Entry(
        name="XRLinear",
        module="ramify.models.trees.xr_linear",
        roles={MODEL: "xr-linear", MATCHER: "linear"},
        summary="Linear classifiers over a tree of labels, searched by beam (PECOS).",
    ),
    Entry(
        name="Blend",
        module="ramify.models.mixtures.blend",
        roles={MODEL: "blend", MATCHER: "blend"},
        summary="Several trees and the nearest training instances, weighted on held-out instances.",
    ),
    Entry(
        name="Fusion",
        module="ramify.models.mixtures.fusion",
        roles={MODEL: "fusion"},
        summary="Members of any kind, with a weight and an exponent each, fitted on held-out documents.",
    ),
    Entry(
        name="Partitioned",
        module="ramify.models.parts.partitioned",
        roles={MODEL: "partitioned"},
        summary="Label clusters, a matcher that ranks clusters and a ranker that scores their labels.",
    ),
    Entry(
        name="NearestInstances",
        module="ramify.models.neighbours.nearest",
        roles={MODEL: "nearest-instances", MATCHER: "nearest"},
        summary="Votes of the most similar training instances, found exactly.",
    ),
    Entry(
        name="DenseNeighbours",
        module="ramify.models.neighbours.dense",
        roles={MODEL: "dense-neighbours", MATCHER: "dense"},
        summary="Votes of the nearest dense vectors of instances or labels, found by graph search (HNSW).",
        extra="ann",
    ),
    Entry(
        name="LexicalMatcher",
        module="ramify.models.lexical.matcher",
        roles={MODEL: "lexical"},
        summary="Label names found in the text, ranked by boosted trees; no label needs a training text.",
    ),
    Entry(
        name="NearestTexts",
        module="ramify.models.neighbours.texts",
        roles={MODEL: "nearest-texts"},
        summary="Votes of similar texts, and similarity to label vectors made of names and texts.",
    ),
    Entry(
        name="PopularLabels",
        module="ramify.models.neighbours.popular",
        roles={MODEL: "popular-labels", MATCHER: "popular"},
        summary="The most frequent labels for every instance: a baseline.",
    ),
    Entry(
        name="LabelChain",
        module="ramify.chains.label_chain",
        roles={MODEL: "label-chain"},
        summary="A recurrent classifier chain with context-dependent label order.",
        extra="torch",
    ),
    Entry(
        name="ReinforcedChain",
        module="ramify.chains.reinforced_chain",
        roles={MODEL: "reinforced-chain"},
        summary="A classifier chain improved by policy gradient.",
        extra="torch",
    ),
    Entry(
        name="CompositeChain",
        module="ramify.chains.composite",
        roles={MODEL: "composite-chain"},
        summary="A supervised and a reinforced chain, their scores averaged.",
        extra="torch",
    ),
    Entry(
        name="XRTransformer",
        module="ramify.transformers.xr_transformer",
        roles={MODEL: "xr-transformer"},
        summary="A pretrained encoder fine-tuned level by level on a label tree, then XRLinear on its embeddings.",
        extra="torch",
    ),
    Entry(
        name="XTransformer",
        module="ramify.transformers.x_transformer",
        roles={MODEL: "x-transformer"},
        summary="A pretrained encoder fine-tuned on label clusters, then XRLinear on its embeddings.",
        extra="torch",
    ),
    Entry(
        name="FlatTransformer",
        module="ramify.transformers.flat_transformer",
        roles={MODEL: "flat-transformer"},
        summary="A pretrained encoder fine-tuned on all labels in chunks, then XRLinear on its embeddings.",
        extra="torch",
    ),
    Entry(
        name="XLGen",
        module="ramify.generate.xlgen",
        roles={MODEL: "xlgen"},
        summary="A sequence-to-sequence model that writes label names, guided by label clusters.",
        extra="torch",
    ),
    Entry(
        name="XLGenWithTree",
        module="ramify.generate.with_tree",
        roles={MODEL: "xlgen-with-tree"},
        summary="XLGen joined with XRLinear, whose candidates it chooses from, or which ranks what it writes.",
        extra="torch",
    ),
    Entry(
        name="Disentangled",
        module="ramify.models.trees.disentangled",
        roles={WRAPPER: "disentangled"},
        summary="A tree model whose labels may have leaves in several clusters.",
    ),
    Entry(
        name="Ensemble",
        module="ramify.models.mixtures.ensemble",
        roles={WRAPPER: "ensemble"},
        summary="Several models whose rankings are merged.",
    ),
    Entry(
        name="SavedMember",
        module="ramify.tagger.fusing.members",
        summary="A trained tagger as a member of a fusion.",
        public=False,
    ),
    Entry(
        name="TrainedMember",
        module="ramify.tagger.fusing.members",
        summary="A tagger as a member of a fusion, trained with it.",
        public=False,
    ),
    Entry(
        name="StoredPredictions",
        module="ramify.tagger.fusing.members",
        summary="Predictions of another program as a member of a fusion.",
        public=False,
    ),
    Entry(
        name="LinearRanker",
        module="ramify.models.parts.linear_ranker",
        roles={RANKER: "linear"},
        summary="One linear classifier per label, trained within its cluster.",
    ),
    Entry(
        name="CosineRanker",
        module="ramify.models.parts.cosine_ranker",
        roles={RANKER: "cosine"},
        summary="Cosine of instance and label vector: scores labels without training instances.",
    ),
    Entry(
        name="MixedRanker",
        module="ramify.models.parts.mixed_ranker",
        roles={RANKER: "mixed"},
        summary="Weighted mean of a linear and a cosine ranker.",
    ),
    Entry(
        name="Tfidf",
        module="ramify.features.tfidf",
        roles={VECTORIZER: "tfidf"},
        summary="Words, stems and n-grams of characters weighted by tf-idf, chosen by language and corpus.",
    ),
    Entry(
        name="Hashing",
        module="ramify.features.hashing",
        roles={VECTORIZER: "hashing"},
        summary="Words and n-grams hashed into a fixed number of columns.",
    ),
    Entry(
        name="StaticEncoder",
        module="ramify.features.static",
        roles={VECTORIZER: "static"},
        summary="Means of static word or sub-word vectors, weighted by frequency.",
    ),
    Entry(
        name="Encoder",
        module="ramify.transformers.vectorizer",
        roles={VECTORIZER: "encoder"},
        summary="Embeddings of a pretrained encoder, such as a sentence encoder of Hugging Face.",
        extra="torch",
    ),
    Entry(
        name="Concatenated",
        module="ramify.features.concatenated",
        roles={VECTORIZER: "concatenated"},
        summary="The columns of two vectorizers side by side, such as tf-idf and static vectors.",
    ),
    Entry(
        name="KMeansIndexer",
        module="ramify.index.kmeans",
        roles={INDEXER: "kmeans"},
        summary="Labels grouped by recursive k-means.",
        public=False,
    ),
    Entry(
        name="NeighbourIndexer",
        module="ramify.index.neighbours",
        roles={INDEXER: "neighbours"},
        summary="Labels grouped bottom up by pairing nearest neighbours.",
        public=False,
    ),
    Entry(
        name="PIFA",
        module="ramify.label_vectors.vectors",
        roles={REPRESENTATION: "pifa"},
        summary="A label as the sum of the features of its instances.",
        public=False,
    ),
    Entry(
        name="PII",
        module="ramify.label_vectors.vectors",
        roles={REPRESENTATION: "pii"},
        summary="A label as the set of its instances.",
        public=False,
    ),
    Entry(
        name="GraphSpectrum",
        module="ramify.label_vectors.vectors",
        roles={REPRESENTATION: "graph-spectrum"},
        summary="Spectral embedding of the graph between instances and labels.",
        public=False,
    ),
    Entry(
        name="Mixture",
        module="ramify.label_vectors.vectors",
        roles={REPRESENTATION: "mixture"},
        summary="Weighted sum of two representations of one width.",
        public=False,
    ),
    Entry(
        name="SklearnText",
        module="ramify.features.sklearn_text",
        summary="Wrapper that stores a scikit-learn text vectorizer in a model directory.",
        public=False,
    ),
]
"""All entries, in the order of help pages and tables."""

ADAPTER = ENTRIES[-1]
"""Adapter that saves the vectorizers of scikit-learn."""


def named(role: str) -> dict[str, Entry]:
    """Entries with the given role, by their names in that role."""
    return {entry.roles[role]: entry for entry in ENTRIES if role in entry.roles}


def find(role: str, name: str, where: str) -> Entry:
    """The entry with the given name.

    Parameters
    ----------
    role : str
        A key of ``Entry.roles``.
    name : str
        The name in that role.
    where : str
        The flag or setting that contains the name, for errors.

    Raises
    ------
    InputError
        An unknown name; the message suggests the nearest one.
    """
    known = named(role)
    if isinstance(name, str) and name in known:
        return known[name]
    near = nearest_name(name, known) if isinstance(name, str) else None
    hint = "choose one of these" if near is None else f"did you mean {near!r}?"
    raise InputError(f"{where} is {quoted(name)}, but must be one of {', '.join(known)}: {hint}")


def by_class(name: str) -> Entry | None:
    """The entry of a class that may occur in a model directory, by class name; None for other names."""
    kept = (entry for entry in ENTRIES if not {INDEXER, REPRESENTATION} & entry.roles.keys())
    return next((entry for entry in kept if entry.name == name), None)


def public_homes() -> dict[str, str]:
    """Module of each class that ``ramify`` exports, by class name."""
    return {entry.name: entry.module for entry in ENTRIES if entry.public}
