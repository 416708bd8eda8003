"""``ramify serve``: an HTTP service that tags texts."""

from __future__ import annotations

import os
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

from typer import Argument, Option

if TYPE_CHECKING:
    import uvicorn

HELP = """Start an HTTP service that tags texts with one or several models.

The models are opened once. The service runs until Ctrl-C or SIGTERM, and completes running requests before it ends.

Examples:

  ramify serve model
  ramify serve bills=models/2026 books --port 9000
  ramify serve model --host 0.0.0.0 --api-key-file keys.txt
"""

GRACE = 10
"""Seconds in which running requests may complete after a signal to stop."""

WAITING = 2048
"""Connections that wait to be accepted."""


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


def run(options: ServeOptions) -> None:
    """Open the models, and answer requests until a signal to stop.

    Raises
    ------
    RamifyError
        The extra is missing, a missing or damaged model, an invalid key file, or an address that is not free.
    """
    from ramify.checks.arguments import whole_number
    from ramify.cli.output import note

    whole_number("--port", options.port, 0, 65535)
    from ramify.serve import Keys, create_app, host, named_place

    keys = None if options.api_key_file is None else Keys.read(options.api_key_file)
    places = [named_place(text) for text in options.models]
    with _bound(options.host, options.port) as listener:
        hosted = host(places)
        _listen(listener)
        address, port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        server = _server(create_app(hosted, keys=keys))
        note(f"serving {', '.join(hosted)} on http://{shown}:{port}", quiet=False)
        server.run(sockets=[listener])


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


def _server(app: object) -> uvicorn.Server:
    """A server that a signal stops; the process ends with exit code 0 then."""
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)

    def stop(number: int, frame: object) -> None:
        server.should_exit = True

    # uvicorn handles signals while it runs, and sends them again to these handlers when it has stopped.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
    return server
