"""Texts for the contract suites of models that need them: words that name the features of an instance."""

from dataclasses import replace

from ramify.values import as_csr


def with_texts(given):
    """The features of each instance as words."""
    if given.X is None or given.texts is not None:
        return given
    X = as_csr(given.X)
    rows = zip(X.indptr[:-1], X.indptr[1:], strict=True)
    return replace(given, texts=[" ".join(f"f{column}" for column in X.indices[a:b]) for a, b in rows])
