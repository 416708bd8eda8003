"""Upload of a model: the two files of its directory and a model card, in one commit.

Nothing is visible in the repository before the commit, which the hub accepts or refuses as a whole. The arrays file of
an earlier model is deleted in the same commit.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from ramify.answering import open_tagger
from ramify.checks import given_path
from ramify.errors import HubError, InputError
from ramify.hub.card import CardOptions, model_card
from ramify.hub.files import ModelFiles, is_arrays_name
from ramify.hub.place import Place, progress_bars
from ramify.store import MANIFEST
from ramify.tagger import Tagger
from ramify.wording import quoted

CARD = "README.md"
MESSAGE = "Upload a ramify model"
Card = bool | str | CardOptions
"""True or options: a generated card; False: the card of the repository stays; a str: the text of the card."""


@dataclass(frozen=True)
class Pushed:
    """A model that was uploaded.

    Parameters
    ----------
    repo_id : str
        Repository with its namespace.
    url : str
        Address of its page.
    commit : str
        Commit that holds the model.
    files : tuple of str
        Names of the uploaded files.
    bytes : int
        Bytes of the model's files.
    """

    repo_id: str
    url: str
    commit: str
    files: tuple[str, ...]
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return asdict(self) | {"files": list(self.files)}


def push(
    directory: str | Path,
    place: Place,
    *,
    private: bool | None = None,
    message: str | None = None,
    card: Card = True,
    progress: bool = True,
) -> Pushed:
    """Upload a model directory; its files are verified before.

    Parameters
    ----------
    directory : path-like
        A directory that ``save`` wrote. Only its ``model.json`` and its arrays file are uploaded.
    place : Place
        Repository, branch and token; a missing repository or branch is created.
    private : bool, optional
        Visibility of a new repository; the default of the hub when None. True refuses an existing public repository.
    message : str, optional
        Message of the commit.
    card : bool, str or CardOptions, default True
        The model card: generated, with these options; False leaves that of the repository; a str is its text.
    progress : bool, default True
        Whether ``huggingface_hub`` shows its progress bars on stderr.

    Raises
    ------
    ModelFileError
        The directory holds no valid model.
    HubError
        No network, no permission, an unknown branch, or a public repository.
    InputError
        A value of another type, or a report of another model.
    """
    files = ModelFiles.of(given_path("the model directory", directory))
    tagger = None if card is False or isinstance(card, str) else open_tagger(directory)
    return _push(files, tagger, place, private=private, message=message, card=card, progress=progress)


def push_tagger(
    tagger: Tagger,
    place: Place,
    *,
    private: bool | None = None,
    message: str | None = None,
    card: Card = True,
    progress: bool = True,
) -> Pushed:
    """Save a tagger in a temporary directory and upload it; see :func:`push`."""
    with tempfile.TemporaryDirectory(prefix="ramify-push-") as folder:
        directory = Path(folder) / "model"
        tagger.save(directory)
        files = ModelFiles.of(directory)
        return _push(files, tagger, place, private=private, message=message, card=card, progress=progress)


def _push(
    files: ModelFiles,
    tagger: Tagger | None,
    place: Place,
    *,
    private: bool | None,
    message: str | None,
    card: Card,
    progress: bool,
) -> Pushed:
    if not isinstance(card, bool | str | CardOptions):
        raise InputError(f"card is {quoted(card)}, but must be True, False, a text or CardOptions")
    if message is not None and not (isinstance(message, str) and message.strip()):
        raise InputError(f"message is {quoted(message)}, but must be a text that is not empty")
    with place.reported():
        place = replace(place, repo_id=_full_name(place))
    text = _card_text(files, tagger, place.repo_id, card)
    with place.reported(), progress_bars(progress):
        _make_repository(place, private)
        operations = _operations(files, text, place)
        commit = place.api.create_commit(
            place.repo_id, operations, commit_message=message or MESSAGE, revision=place.revision
        )
    names = tuple(one.path_in_repo for one in operations if isinstance(one, CommitOperationAdd))
    return Pushed(place.repo_id, f"{place.endpoint}/{place.repo_id}", commit.oid, names, files.bytes)


def _full_name(place: Place) -> str:
    """The repository id with its namespace, by default that of the token's user."""
    return place.repo_id if "/" in place.repo_id else f"{place.api.whoami()['name']}/{place.repo_id}"


def _card_text(files: ModelFiles, tagger: Tagger | None, repo_id: str, card: Card) -> str | None:
    if isinstance(card, str):
        return card
    if tagger is None or card is False:
        return None
    return model_card(tagger, repo_id, files, card if isinstance(card, CardOptions) else None)


def _make_repository(place: Place, private: bool | None) -> None:
    """Create the repository and the branch where they are missing.

    An existing repository is looked up before, so that a token without the permission to create repositories is enough.
    """
    try:
        info = place.api.model_info(place.repo_id)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        place.api.create_repo(place.repo_id, private=private, exist_ok=True)
    else:
        if private and info.private is False:
            raise HubError(
                f"{place.repo_id} is public, but private is True: make the repository private, or name another one"
            )
    if place.revision is not None:
        place.api.create_branch(place.repo_id, branch=place.revision, exist_ok=True)


def _operations(files: ModelFiles, card: str | None, place: Place) -> list[Any]:
    """The changes of the commit: both files, the card, and the removal of earlier arrays."""
    held = place.api.list_repo_files(place.repo_id, revision=place.revision)
    old = [name for name in held if is_arrays_name(name) and name != files.arrays.name]
    added = [
        CommitOperationAdd(MANIFEST, files.manifest),
        CommitOperationAdd(files.arrays.name, str(files.arrays_path)),
    ]
    if card is not None:
        added.append(CommitOperationAdd(CARD, card.encode()))
    return [*added, *(CommitOperationDelete(name, is_folder=False) for name in old)]
