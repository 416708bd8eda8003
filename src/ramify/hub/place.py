"""A repository of models on a hub, and the errors of the hub as one sentence each.

Versions 0.x of ``huggingface_hub`` use requests, later ones httpx. The common base of the errors of either is a base of
``HfHubHTTPError``, so that no version is named here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ramify import __version__
from ramify.errors import HubError, InputError, MissingExtraError, RamifyError
from ramify.wording import one_line, quoted, shortened

try:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        EntryNotFoundError,
        FileMetadataError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
        validate_repo_id,
    )
except ImportError:
    raise MissingExtraError("models on a hub", "hub") from None

ENDPOINT = "https://huggingface.co"
HTTP_LIBRARIES = ("requests", "httpx", "httpx2")
_BASES = [kind for kind in HfHubHTTPError.__mro__ if kind.__module__.partition(".")[0] in HTTP_LIBRARIES]
TRANSPORT_ERROR: type[Exception] = _BASES[-1] if _BASES else ConnectionError
"""Base of the errors of the HTTP library, such as a refused connection."""
LONGEST_REASON = 200
NO_TOKEN = "set HF_TOKEN, or run hf auth login"
SENTENCES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (LocalEntryNotFoundError, OfflineModeIsEnabled),
        "{name} is not in the local cache, and downloads are off: allow them once (HF_HUB_OFFLINE=0)",
    ),
    ((GatedRepoError,), f"access to {{name}} must be granted first: request it on {{hub}}/{{name}}, and {NO_TOKEN}"),
    (
        (RepositoryNotFoundError,),
        f"{{hub}} has no repository {{name}} that this token may read: check the name, or {NO_TOKEN}",
    ),
    ((RevisionNotFoundError,), "{name} has no revision {revision}: give a branch, a tag or a commit of it"),
    ((EntryNotFoundError,), "{name} holds no ramify model at {revision}: check the name and the revision"),
    ((FileMetadataError,), "{hub} does not answer as a hub ({reason}): check HF_ENDPOINT"),
    ((LocalTokenNotFoundError,), f"{{hub}} needs an access token: {NO_TOKEN}"),
    ((HFValidationError,), "{hub} cannot have the repository {name} ({reason}): give another name"),
)
"""Errors of huggingface_hub, subclasses before their bases, and their sentences."""


@dataclass(frozen=True)
class Place:
    """A revision of a repository of models.

    Parameters
    ----------
    repo_id : str
        "NAMESPACE/NAME", or "NAME" in the namespace of the token's user.
    revision : str, optional
        Branch, tag or commit; the main branch when None.
    token : str, optional
        Access token; when None, that of ``HF_TOKEN`` or of ``hf auth login``, if there is one.

    Raises
    ------
    InputError
        A malformed repository id, revision or token.

    Notes
    -----
    The address of the hub is the value of ``HF_ENDPOINT``, https://huggingface.co by default.
    """

    repo_id: str
    revision: str | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.repo_id, str) or not is_repo_id(self.repo_id):
            raise InputError(
                f"the repository id is {quoted(self.repo_id)}, but must be NAME or NAMESPACE/NAME of letters, digits, "
                "'-', '_' and '.', at most 96 characters"
            )
        if self.revision is not None and not _is_printable(self.revision):
            raise InputError(
                f"the revision is {quoted(self.revision)}, but must be the name of a branch, a tag or a commit"
            )
        if self.token is not None and not (_is_printable(self.token) and self.token.isascii()):
            raise InputError("the token is empty or has characters that no token has: copy it again")

    @property
    def endpoint(self) -> str:
        """Address of the hub."""
        return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")

    @property
    def api(self) -> Any:
        """``huggingface_hub.HfApi`` for this hub and token."""
        return HfApi(endpoint=self.endpoint, token=self.token, library_name="ramify", library_version=__version__)

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Context in which an error of the hub or of the network becomes one HubError; others are kept."""
        try:
            yield
        except RamifyError:
            raise
        except Exception as error:
            sentence = self._sentence(error)
            if sentence is None:
                raise
            raise HubError(sentence) from None

    def _sentence(self, error: BaseException) -> str | None:
        """The problem and the remedy; None for an error of another origin."""
        inner = error.__cause__
        if isinstance(error, LocalEntryNotFoundError | RuntimeError) and inner is not None:
            return self._sentence(inner)
        named = {"name": self.repo_id, "hub": self.endpoint, "revision": quoted(self.revision or "main")}
        for kinds, sentence in SENTENCES:
            if isinstance(error, kinds):
                return sentence.format(**named, reason=_reason(error))
        return self._other(error)

    def _other(self, error: BaseException) -> str | None:
        """The sentence for errors that are not in ``SENTENCES``."""
        if getattr(error, "response", None) is not None:
            return self._answered(error)
        if isinstance(error, TRANSPORT_ERROR | ConnectionError):
            return f"{self.endpoint} cannot be reached ({_reason(error)}): check the network, the proxy and HF_ENDPOINT"
        if type(error) is ValueError:  # an answer of another form, or metadata of a card that the hub refuses
            return (
                f"{self.endpoint} has refused the files for {self.repo_id} ({_reason(error)}): check license and card"
            )
        if isinstance(error, OSError) and error.errno is None:
            return f"the transfer of {self.repo_id} broke off ({_reason(error)}): try again"
        return None

    def _answered(self, error: Any) -> str:
        """The sentence for an answer with an error status."""
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == 401:
            return f"{self.endpoint} has refused the access token, or none was given: {NO_TOKEN}"
        if status == 403:
            return f"this token does not permit the access to {self.repo_id}: give a token with the permission"
        reason = getattr(error, "server_message", None) or f"status {status}"
        if status in (408, 429) or (isinstance(status, int) and status >= 500):
            return f"{self.endpoint} is busy or out of order (status {status}): try again later"
        return f"{self.endpoint} has refused the request for {self.repo_id}: {shortened(one_line(str(reason)), 200)}"


def is_repo_id(text: str) -> bool:
    """Whether a text has the form of a repository id."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return True


@contextmanager
def progress_bars(shown: bool) -> Iterator[None]:
    """Context with or without the progress bars of ``huggingface_hub``; the environment's setting has priority."""
    before = are_progress_bars_disabled()
    if "HF_HUB_DISABLE_PROGRESS_BARS" in os.environ or before is not shown:
        yield
        return
    (enable_progress_bars if shown else disable_progress_bars)()
    try:
        yield
    finally:
        (disable_progress_bars if shown else enable_progress_bars)()


def _is_printable(text: Any) -> bool:
    return isinstance(text, str) and bool(text) and text.isprintable() and not any(map(str.isspace, text))


def _reason(error: BaseException) -> str:
    text = one_line(str(error)) or type(error).__name__
    return shortened(" ".join(text.split()), LONGEST_REASON)
