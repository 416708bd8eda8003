"""Limits of the service."""

from __future__ import annotations

from dataclasses import dataclass

from ramify.checks.arguments import real_number, whole_number

WHOLE = ("body", "held", "documents", "characters", "explained", "k", "labels", "concurrent", "connections", "headers")
SECONDS = ("timeout", "answer", "latency")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of requests; a request over a limit is refused.

    Parameters
    ----------
    body : int, default 10,000,000
        Bytes of a request body.
    held : int, default 256,000,000
        Bytes of all request bodies, and of answers of ``POST /v1/tag``, that are held at the same time.
    documents : int, default 1,000
        Texts per request.
    characters : int, default 1,000,000
        Characters per text.
    explained : int, default 100,000
        Characters of all texts of a request with reasons; characters times ``k`` may be 50 times as many.
    k : int, default 1,000
        Labels per text.
    labels : int, default 100,000
        Labels of all texts of a request: ``k`` times the number of texts.
    concurrent : int, default 1,024
        Requests that run or wait at the same time.
    connections : int, default 4,096
        Open connections.
    headers : int, default 65,536
        Bytes of the request line and the headers.
    timeout : float, default 30.0
        Seconds within which the headers must arrive, and after them the body.
    answer : float, default 30.0
        Seconds within which a request is answered once its body is there.
    batch : int, default 262,144
        Bytes of text that are predicted in one call.
    latency : float, default 0.005
        Seconds that a batch of several requests is expected to take at most.

    Raises
    ------
    InputError
        A limit that is no number, or out of range.
    """

    body: int = 10_000_000
    held: int = 256_000_000
    documents: int = 1_000
    characters: int = 1_000_000
    explained: int = 100_000
    k: int = 1_000
    labels: int = 100_000
    concurrent: int = 1_024
    connections: int = 4_096
    headers: int = 65_536
    timeout: float = 30.0
    answer: float = 30.0
    batch: int = 262_144
    latency: float = 0.005

    def __post_init__(self) -> None:
        for name in (*WHOLE, "batch"):
            whole_number(name, getattr(self, name), 1, 2**31 - 1)
        for name in SECONDS:
            real_number(name, getattr(self, name), 0.0001, 3600.0)
