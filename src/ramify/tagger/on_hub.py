"""Methods of a tagger that push it to a hub and load it from one; ``ramify.hub`` does the work (extra ``hub``).

The package is above this one, so that its module is imported by name when a method is called (``catalogue.HUB``).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ramify.catalogue import HUB

if TYPE_CHECKING:
    from ramify.evaluation import Report

Self = TypeVar("Self", bound="OnHub")


class OnHub:
    """Base class of ``Tagger`` with the methods for hubs."""

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        message: str | None = None,
        report: Report | None = None,
        test_data: str | None = None,
        license: str | None = None,
        card: bool | str = True,
        progress: bool = True,
    ) -> Any:
        """Upload the model and a model card to a hub such as Hugging Face, in one commit (extra ``hub``).

        Parameters
        ----------
        repo_id : str
            "NAMESPACE/NAME", or "NAME" in the namespace of the token's user; created if it does not exist.
        private : bool, optional
            Visibility of a new repository; the default of the hub, usually public, when None. True refuses an existing
            public repository.
        token : str, optional
            Access token; when None, that of ``HF_TOKEN`` or of ``hf auth login``.
        revision : str, optional
            Branch, which is created if it does not exist; the main branch when None.
        message : str, optional
            Message of the commit.
        report : Report, optional
            Result of ``evaluate`` on documents that the model was not trained on, for the card.
        test_data : str, optional
            Name of these documents.
        license : str, optional
            Licence by its identifier on the hub, such as "apache-2.0".
        card : bool or str, default True
            Whether a model card is generated; a str is the text of the card. False leaves the card of the repository.
        progress : bool, default True
            Whether progress bars are shown on stderr.

        Returns
        -------
        Pushed
            ``repo_id``, ``url``, ``commit``, ``files`` and ``bytes``.

        Raises
        ------
        HubError
            No network, no permission, or a public repository.
        InputError
            A malformed repository id, or a report of another model.
        MissingExtraError
            huggingface-hub is not installed.

        Notes
        -----
        The model contains the names of its labels and words of its training texts.
        """
        hub = import_module(HUB)
        options = hub.CardOptions(report=report, test_data=test_data, license=license)
        return hub.push_tagger(
            self,
            hub.Place(repo_id, revision, token),
            private=private,
            message=message,
            card=options if card is True else card,
            progress=progress,
        )

    @classmethod
    def from_pretrained(
        cls: type[Self],
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
    ) -> Self:
        """Load a model from a directory, or from a repository on a hub such as Hugging Face (extra ``hub``).

        Nothing of the repository is executed: a model has no pickle and no code.

        Parameters
        ----------
        repo_id_or_path : str or path-like
            A directory, or a repository id such as "ann/bills". A directory of that name has priority.
        revision : str, optional
            Branch, tag or commit; the main branch when None.
        token : str, optional
            Access token; when None, that of ``HF_TOKEN`` or of ``hf auth login``, if there is one.
        cache_dir : path-like, optional
            Directory of downloaded files; that of ``huggingface_hub`` when None.
        local_files_only : bool, default False
            Use the cache only, without any request.
        verify, mapped, parts
            As in ``load``.
        progress : bool, default True
            Whether progress bars are shown on stderr.

        Raises
        ------
        HubError
            No network, no such repository or revision, no permission, or no ramify model in it.
        ModelFileError
            An invalid model, or one of a newer format.
        InputError
            Neither a directory nor a repository id.
        MissingExtraError
            huggingface-hub is not installed.
        """
        found: Self = import_module(HUB).from_pretrained(
            cls,
            repo_id_or_path,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            verify=verify,
            mapped=mapped,
            parts=parts,
            progress=progress,
        )
        return found
