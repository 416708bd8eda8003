"""The end of a command that may be stopped at any time."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable


def run_until_stopped(main: Callable[[], None], missing: str) -> None:
    """Call ``main``; SIGTERM and Ctrl-C end it with exit status 130 and a line that names what is ``missing``."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the process under watch ends too
    try:
        main()
    except KeyboardInterrupt:
        print(f"stopped; the next call continues with the missing {missing}", file=sys.stderr)
        sys.exit(130)
