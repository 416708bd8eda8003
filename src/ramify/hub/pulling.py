"""Download of a model: the manifest is read and checked first, then the one arrays file that it lists.

A model of a newer format, and a repository with another kind of model, are refused before the arrays are downloaded.
Both files come from one commit.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ramify.checks import given_path
from ramify.errors import HubError, InputError, ModelFileError
from ramify.hub.place import Place, is_repo_id, progress_bars
from ramify.models.base.persistence import load_as
from ramify.store import MANIFEST, check_target, holds_model, open_model, save_model
from ramify.store.format import decode_manifest, listed_arrays
from ramify.wording import quoted

Model = TypeVar("Model")


def from_pretrained(
    kind: type[Model],
    repo_id_or_path: str | Path,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    verify: bool = True,
    mapped: bool = True,
    parts: Sequence[type] = (),
    progress: bool = True,
) -> Model:
    """Load a model of a class from a directory or from a repository, whose files stay in the cache.

    Parameters
    ----------
    kind : type
        Class of the model.
    repo_id_or_path : str or path-like
        A directory, or a repository id such as "ann/bills". A directory of that name has priority.
    revision, token
        As in ``Place``.
    cache_dir : path-like, optional
        Directory of downloaded files; that of ``huggingface_hub`` when None.
    local_files_only : bool, default False
        Use the cache only, without any request.
    verify, mapped, parts
        As in ``models.load``.
    progress : bool, default True
        Whether ``huggingface_hub`` shows its progress bars on stderr.

    Raises
    ------
    InputError
        Neither a directory nor a repository id; a revision for a directory.
    HubError
        No network, no such repository or revision, no permission, or no ramify model in it.
    ModelFileError
        An invalid model, one of a newer format, or the cache cannot be written.
    """
    path = given_path("repo_id_or_path", repo_id_or_path)
    if path.is_dir():
        if revision is not None:
            raise InputError(f"revision is {quoted(revision)}, but {path} is a directory: leave the revision out")
        directory = path
    elif not isinstance(repo_id_or_path, str) or not is_repo_id(repo_id_or_path):
        raise InputError(f"{quoted(str(path))} is neither a directory nor a repository id such as 'ann/bills'")
    else:
        place = Place(repo_id_or_path, revision, token)
        cache = None if cache_dir is None else str(given_path("cache_dir", cache_dir))
        with progress_bars(progress), _writing(cache or "the cache of huggingface_hub"):
            directory = _download(place, cache_dir=cache, local_files_only=local_files_only)
    return load_as(kind, directory, verify=verify, mapped=mapped, parts=parts)


def pull(place: Place, out: str | Path, *, force: bool = False, progress: bool = True) -> Path:
    """Download a model into a directory in one step: all of it, or nothing.

    The files are downloaded into a temporary directory beside the target, compared with their checksums, and renamed.

    Parameters
    ----------
    place : Place
        Repository, revision and token.
    out : path-like
        A directory that does not exist, or is empty; with ``force`` also one that holds a ramify model.
    force : bool, default False
        Whether a model in the directory is replaced.
    progress : bool, default True
        Whether ``huggingface_hub`` shows its progress bars on stderr.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    InputError
        The directory holds a model or other files.
    HubError
        As in ``from_pretrained``; files that do not match their checksums.
    ModelFileError
        A model of a newer format; the disk is full, or writing is not permitted.
    """
    check_target(out)
    if holds_model(out) and not force:
        raise InputError(f"{out} holds a model: choose another directory, or replace it with --force (force=True)")
    target = Path(os.path.realpath(out))
    with progress_bars(progress), _writing(str(out)), _folder_beside(target) as folder:
        model = folder / "model"
        model.mkdir()  # its mode is that of other new directories, unlike that of the temporary one
        for path in _downloaded(place, local_dir=str(folder / "download")):
            shutil.move(path, model / path.name)
        _check(model, place)
        _put(model, target)
    return Path(out)


def _download(place: Place, **where: Any) -> Path:
    """The directory of the cache with both files."""
    return _downloaded(place, **where)[0].parent


def _downloaded(place: Place, **where: Any) -> list[Path]:
    """Paths of the downloaded manifest and arrays; both come from one commit."""
    with place.reported():
        if "local_dir" in where:
            place = replace(place, revision=place.api.model_info(place.repo_id, revision=place.revision).sha)
        manifest = Path(place.api.hf_hub_download(place.repo_id, MANIFEST, revision=place.revision, **where))
        name = Path(place.repo_id) / MANIFEST
        listed = listed_arrays(decode_manifest(manifest.read_bytes(), name), name)
        commit = place.revision if "local_dir" in where else manifest.parent.name  # a folder of the cache is a commit
        arrays = Path(place.api.hf_hub_download(place.repo_id, listed.name, revision=commit, **where))
    return [manifest, arrays]


def _check(model: Path, place: Place) -> None:
    try:
        open_model(model, verify=True)
    except ModelFileError:
        raise HubError(
            f"the files of {place.repo_id} do not match the checksums in its {MANIFEST}: pull or push the model again"
        ) from None


def _put(model: Path, target: Path) -> None:
    """Rename the directory; an existing directory stays as it is, and gets the files as by a save."""
    if target.exists():
        save_model(target, open_model(model, verify=False))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    model.rename(target)


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A temporary directory on the disk of the target; elsewhere if the target is a mount point of another user."""
    beside = next(path for path in target.parents if path.exists())
    where = None if target.exists() and not os.access(beside, os.W_OK | os.X_OK) else beside
    with tempfile.TemporaryDirectory(prefix=f".{target.name[:40]}.pull-", dir=where) as folder:
        yield Path(folder)


@contextmanager
def _writing(where: str) -> Iterator[None]:
    """Context in which an error of the disk becomes a ModelFileError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise ModelFileError(f"cannot save the model to {where}: {reason}; nothing was changed there") from None
