"""Limits of the service."""

from __future__ import annotations

from dataclasses import dataclass

from ramify.checks.arguments import real_number, whole_number


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of requests; a request over a limit is refused.

    Parameters
    ----------
    body : int, default 10,000,000
        Bytes of a request body.
    documents : int, default 1,000
        Texts per request.
    characters : int, default 1,000,000
        Characters per text.
    k : int, default 1,000
        Labels per text.
    concurrent : int, default 64
        Requests that run or wait at the same time.
    timeout : float, default 30.0
        Seconds within which a request body must arrive.

    Raises
    ------
    InputError
        A limit that is no number, or out of range.
    """

    body: int = 10_000_000
    documents: int = 1_000
    characters: int = 1_000_000
    k: int = 1_000
    concurrent: int = 64
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for name in ("body", "documents", "characters", "k", "concurrent"):
            whole_number(name, getattr(self, name), 1, 2**31 - 1)
        real_number("timeout", self.timeout, 0.001, 3600.0)
