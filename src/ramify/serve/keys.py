"""API keys: read from a file, and compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from ramify.errors import DataFileError, InputError


class Keys:
    """The accepted keys, of which digests are kept.

    Parameters
    ----------
    keys : iterable of str
        At least one; printable ASCII characters without spaces.

    Raises
    ------
    InputError
        No key, or a key with other characters. The message does not contain the key.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        given = list(keys)
        if not given:
            raise InputError("no API key is given: give at least one")
        for number, key in enumerate(given, 1):
            if not key or not all("!" <= letter <= "~" for letter in key):
                raise InputError(f"API key {number} must be printable ASCII characters without spaces")
        self._digests = [_digest(key.encode("ascii")) for key in given]

    @classmethod
    def read(cls, path: str | Path) -> Keys:
        """Read a file with one key per line; empty lines are skipped.

        Raises
        ------
        DataFileError
            The file cannot be read, contains no key, or an invalid one.
        """
        try:
            lines = Path(path).read_text("utf-8").splitlines()
        except OSError as error:
            raise DataFileError(f"{error.strerror}: give a readable file of API keys", path) from None
        except UnicodeDecodeError:
            raise DataFileError("is not UTF-8 text: write one API key per line", path) from None
        given = [line.strip() for line in lines if line.strip()]
        if not given:
            raise DataFileError("contains no API key: write one key per line", path)
        try:
            return cls(given)
        except InputError as error:
            raise DataFileError(str(error), path) from None

    def accepts(self, authorization: bytes) -> bool:
        """Whether the value of the header ``Authorization`` has an accepted key.

        It is ``Bearer KEY``, or for clients without it ``Basic``, with the key as the password of any user.
        """
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() == b"basic":
            key = _password(key)
        digest = _digest(key.strip())
        # Each key is compared, so that the time does not depend on which one it is.
        found = [hmac.compare_digest(digest, one) for one in self._digests]
        return scheme.lower() in (b"bearer", b"basic") and any(found)


def _password(credentials: bytes) -> bytes:
    """The password of the credentials of the scheme ``Basic``; empty if they are invalid."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
