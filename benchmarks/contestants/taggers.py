"""Taggers of ramify by name: texts in, labels out. Each is made of a seed, threads and the settings of its model.

The settings ``ranker`` (of the transformers) and ``vectorizer`` (of an encoder beside tf-idf) are dicts of settings of
these parts.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

Settings = dict[str, Any]
Make = Callable[[int, int, Settings], Any]
ENCODER = "minilm"
"""The pretrained encoder of all systems: MiniLM-L6, 384 dimensions."""


def linear(seed: int, threads: int, settings: Settings) -> Any:
    """The defaults of ``Tagger``."""
    from ramify import Tagger, Tfidf, XRLinear

    return Tagger(XRLinear(seed=seed, threads=threads, **settings), vectorizer=Tfidf(threads=threads))


def best(seed: int, threads: int, settings: Settings) -> Any:
    """Preset "best"; the trees of different seeds are different ones."""
    from ramify import Tagger, Tfidf, preset

    model = preset("best", seed=100 * seed, threads=threads).set_params(**settings)
    return Tagger(model, vectorizer=Tfidf(threads=threads))


def best_twice(seed: int, threads: int, settings: Settings) -> Any:
    """The member of an ensemble of two "best" that is not ``best`` itself."""
    return best(seed + 50, threads, settings)


def semantic(seed: int, threads: int, settings: Settings) -> Any:
    """The preset "semantic": tf-idf beside the static vectors of the package wordllama."""
    from ramify import StaticEncoder

    return _beside(StaticEncoder, {}, seed, threads, settings)


def static(seed: int, threads: int, settings: Settings) -> Any:
    """tf-idf beside static vectors distilled from the encoder, here."""
    from ramify import StaticEncoder

    distilled = import_module("ramify.transformers.distill").distilled(ENCODER, threads=threads)
    return _beside(StaticEncoder, {"vectors": distilled}, seed, threads, settings)


def frozen(seed: int, threads: int, settings: Settings) -> Any:
    """tf-idf beside the embeddings of the encoder as it was pretrained."""
    from ramify import Encoder

    return _beside(Encoder, {"encoder": ENCODER, "device": "cpu"}, seed, threads, settings)


def x_transformer(seed: int, threads: int, settings: Settings) -> Any:
    """One level."""
    return _fine_tuned("x-transformer", seed, threads, settings)


def xr_transformer(seed: int, threads: int, settings: Settings) -> Any:
    """Several levels, from coarse to fine."""
    return _fine_tuned("xr-transformer", seed, threads, settings)


def flat_transformer(seed: int, threads: int, settings: Settings) -> Any:
    """All labels in chunks."""
    return _fine_tuned("flat-transformer", seed, threads, settings)


TAGGERS: dict[str, Make] = {
    "xr-linear": linear,
    "best": best,
    "best, second": best_twice,
    "semantic": semantic,
    "static": static,
    "frozen": frozen,
    "x-transformer": x_transformer,
    "xr-transformer": xr_transformer,
    "flat-transformer": flat_transformer,
}


def generator(variant: str) -> Make:
    """XLGen, which has no features."""

    def made(seed: int, threads: int, settings: Settings) -> Any:
        from ramify import Tagger

        return Tagger(_generator(**{"variant": variant} | settings, seed=seed, threads=threads))

    return made


def with_tree(way: str) -> Make:
    """XLGen joined with XRLinear. The settings are those of the generator; ``candidates`` is of the joined model."""

    def made(seed: int, threads: int, settings: Settings) -> Any:
        from ramify import Tagger, Tfidf, catalogue

        joined = catalogue.find("model", "xlgen-with-tree", "--model").load()
        settings = {"candidates": 100} | settings  # as many as the study keeps of each system
        candidates = settings.pop("candidates")
        generator = _generator(**settings)
        model = joined(generator=generator, way=way, candidates=candidates, seed=seed, threads=threads)
        return Tagger(model, vectorizer=Tfidf(threads=threads))

    return made


GENERATORS: dict[str, Make] = {
    **{f"xlgen-{variant}": generator(variant) for variant in ("base", "bcl", "mcg")},
    "xlgen-constrained": with_tree("constrain"),
    "xlgen-reranked": with_tree("rerank"),
}
"""Systems that generate labels, alone or joined with a tree; ``benchmarks/generation.py`` measures them."""

EVERY = TAGGERS | GENERATORS


def _generator(**settings: Any) -> Any:
    from ramify import catalogue

    return catalogue.find("model", "xlgen", "--model").load()(**{"encoder": ENCODER} | settings)


def _beside(make: Any, encoder: Settings, seed: int, threads: int, settings: Settings) -> Any:
    from ramify import Tagger, Tfidf, XRLinear

    settings = dict(settings)
    part = make(**encoder | {"threads": threads} | settings.pop("vectorizer", {}))
    model = XRLinear(seed=seed, threads=threads, **settings)
    return Tagger(model, vectorizer=Tfidf(threads=threads) + part)


def _fine_tuned(name: str, seed: int, threads: int, settings: Settings) -> Any:
    from ramify import Tagger, Tfidf, catalogue
    from ramify.transformers.model import default_ranker

    settings = {"encoder": ENCODER} | settings
    if "ranker" in settings:
        settings["ranker"] = default_ranker().set_params(**settings["ranker"])
    model = catalogue.find("model", name, "--model").load()(seed=seed, threads=threads, **settings)
    return Tagger(model, vectorizer=Tfidf(threads=threads))
