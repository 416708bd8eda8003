"""``ramify serve``: an HTTP service that tags texts."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option

if TYPE_CHECKING:
    import uvicorn

    from ramify.serve import Limits

HELP = """Start an HTTP service that tags texts with one or several models.

Several processes share the memory of the models. A process that ends is replaced, and a model directory that is
replaced is opened while the service runs. The service runs until Ctrl-C or SIGTERM, and completes running requests
before it ends.

Examples:

  ramify serve model
  ramify serve bills=models/2026 books --port 9000
  ramify serve model --host 0.0.0.0 --api-key-file keys.txt --certificate cert.pem --key key.pem
"""

GRACE = 10
"""Seconds in which running requests may complete after a signal to stop."""

WAITING = 2048
"""Connections that wait to be accepted."""

MOST_WORKERS = 256

OTHER_FILES = 200
"""File descriptors that are kept for models, processes and libraries."""


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Options of ``ramify serve``."""

    models: Annotated[list[str], Argument(metavar="MODEL...", help="Directories of trained models, also as NAME=PATH.")]
    host: Annotated[str, Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Option(metavar="N", help="Port to listen on; 0 takes a free one.")] = 8000
    api_key_file: Annotated[
        Optional[Path],  # noqa: UP045 - typer evaluates it
        Option(metavar="FILE", help="File with one API key per line. (default: no key is needed)"),
    ] = None
    workers: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Processes that hold the models. (default: one less than the CPUs)"),
    ] = None
    certificate: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Certificate chain for TLS, as PEM. (default: no TLS)"),
    ] = None
    key: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Private key of the certificate, as PEM."),
    ] = None
    max_body: Annotated[int, Option(metavar="BYTES", help="Largest request body.")] = 10_000_000
    max_requests: Annotated[int, Option(metavar="N", help="Requests that run or wait at once.")] = 1_024
    latency: Annotated[float, Option(metavar="MS", help="Milliseconds that a batch is expected to take at most.")] = 5.0
    timeout: Annotated[float, Option(metavar="S", help="Seconds for a request to arrive, and to be answered.")] = 30.0


def run(options: ServeOptions) -> None:
    """Open the models, and answer requests until a signal to stop.

    Raises
    ------
    RamifyError
        The extra is missing, a missing or damaged model, an invalid key file, or an address that is not free.
    """
    from ramify.checks.arguments import thread_count, whole_number
    from ramify.cli.output import note

    whole_number("--port", options.port, 0, 65535)
    if options.workers is not None:
        whole_number("--workers", options.workers, 1, MOST_WORKERS)
    from ramify.serve import Keys, Processes, checked_places, create_app, named_place

    limits = _limits(options)
    keys = None if options.api_key_file is None else Keys.read(options.api_key_file)
    tls = _tls(options.certificate, options.key)
    places = checked_places([named_place(text) for text in options.models])
    with _bound(options.host, options.port) as listener:
        processes = Processes(places, options.workers or max(1, thread_count(None) - 1), limits)
        try:
            _listen(listener)
            address, port = listener.getsockname()[:2]
            shown = f"[{address}]" if ":" in address else address
            server = _server(create_app(processes, keys=keys), limits, tls)
            scheme = "https" if tls else "http"
            names = ", ".join(place.name for place in places)
            note(f"serving {names} and a page on {scheme}://{shown}:{port}", quiet=False)
            server.run(sockets=[listener])
        finally:
            processes.close()


def _limits(options: ServeOptions) -> Limits:
    """The limits of the flags; InputError names the flag."""
    from ramify.checks.arguments import real_number, whole_number
    from ramify.serve import Limits

    whole_number("--max-body", options.max_body, 1, 2**31 - 1)
    whole_number("--max-requests", options.max_requests, 1, 2**31 - 1)
    real_number("--latency", options.latency, 0.1, 60_000.0)
    real_number("--timeout", options.timeout, 0.1, 3600.0)
    return Limits(
        body=options.max_body,
        held=max(Limits.held, options.max_body),
        concurrent=options.max_requests,
        connections=_connections(),
        latency=options.latency / 1000,
        timeout=options.timeout,
        answer=options.timeout,
    )


def _connections() -> int:
    """Connections for which there are file descriptors; their limit is raised as far as the system allows."""
    from ramify.serve import Limits

    try:
        import resource
    except ImportError:  # Windows has no such limit
        return Limits.connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = Limits.connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return Limits.connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    return max(1, min(Limits.connections, soft - OTHER_FILES))


def _tls(certificate: Path | None, key: Path | None) -> dict[str, Any]:
    """Settings of TLS for the server, none without a certificate.

    Raises
    ------
    InputError
        One file without the other, or files that are unreadable, no PEM, or do not belong together.
    """
    import ssl

    from ramify.errors import InputError

    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        raise InputError("TLS needs a certificate and its key: give both --certificate and --key")
    for path in (certificate, key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}: give a readable PEM file") from None
    try:
        # A password cannot be asked for: a service starts without a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        sentence = f"{certificate} and {key} are no certificate with its key ({reason}): give two PEM files"
        raise InputError(f"{sentence} without a password") from None
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def _bound(address: str, port: int) -> socket.socket:
    """A socket at an address, so that one in use is refused before the models are opened.

    Raises
    ------
    InputError
        The address is unknown or in use.
    """
    from ramify.errors import InputError

    place = f"{address}:{port}"
    try:
        family, kind, protocol, _, full = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen on {place} ({reason}): give another --host") from None
    try:
        if os.name == "posix":  # elsewhere it would let two services share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(full)
    except OSError as error:
        listener.close()
        raise InputError(f"cannot listen on {place} ({error.strerror}): give another --host or --port") from None
    return listener


def _listen(listener: socket.socket) -> None:
    """Accept connections from now on, when all models are open; InputError if another process took the port."""
    from ramify.errors import InputError

    try:
        listener.listen(WAITING)
    except OSError as error:
        raise InputError(f"cannot listen ({error.strerror}): give another --port") from None


def _server(app: object, limits: Limits | None = None, tls: dict[str, Any] | None = None) -> uvicorn.Server:
    """A server that a signal stops; the process ends with exit code 0 then."""
    import uvicorn

    from ramify.serve.config import Limits
    from ramify.serve.connections import connection_class

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=connection_class(limits or Limits()),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        **(tls or {}),
    )
    server = uvicorn.Server(config)

    def stop(number: int, frame: object) -> None:
        server.should_exit = True

    # uvicorn handles signals while it runs, and sends them again to these handlers when it has stopped.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
    return server
