"""The errors of ramify. A message is one sentence that names the object, the value, the limit and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_QUOTED = 200
"""Maximum number of characters that a message quotes from a damaged model directory."""


class RamifyError(Exception):
    """Base of all errors of this library."""


class InputError(RamifyError, ValueError):
    """An argument, an array or a value is invalid."""


class DataFileError(InputError):
    """A data file cannot be read.

    Parameters
    ----------
    problem : str
        The problem and the remedy.
    path : path-like, optional
        The file.
    line : int, optional
        Its line, counted from 1.
    """

    def __init__(self, problem: str, path: str | Path | None = None, line: int | None = None) -> None:
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + problem)
        self.path = path
        self.line = line


class ModelFileError(RamifyError):
    """A model directory is missing, foreign, truncated, tampered with, or from a newer format."""


class HubError(RamifyError):
    """A hub cannot be reached, or refuses a request for a repository."""


class ClusterError(RamifyError):
    """A cluster cannot be used, or a task has failed on it several times."""


class MissingExtraError(RamifyError, ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    what : str
        The feature that needs it, e.g. "Parquet files".
    extra : str
        The extra to install, e.g. "data".
    package : str, optional
        The package to install, if it is not part of the extra.
    """

    def __init__(self, what: str, extra: str, package: str | None = None) -> None:
        wanted = f'"ramify[{extra}]"' if package is None else package
        super().__init__(f"{what} need an optional dependency: pip install {wanted}")
        self.extra = extra


class RamifyWarning(UserWarning):
    """The data or the settings may give an unexpected result, although the work continues."""


@contextmanager
def damage_reported(what: str) -> Iterator[None]:
    """Context in which an error of a damaged state becomes one ModelFileError.

    Parameters
    ----------
    what : str
        The part, as in "the blend is".

    Raises
    ------
    ModelFileError
        Instead of any other error that a wrong value causes.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        problem = " ".join(str(error).split())  # may quote names of the file, line breaks and all
        problem = f"{problem} is missing" if isinstance(error, KeyError) else problem
        problem = problem if len(problem) <= MOST_QUOTED else f"{problem[:MOST_QUOTED]}..."
        raise ModelFileError(f"{what} damaged ({problem}): restore the model directory") from None
