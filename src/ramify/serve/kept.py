"""Models in use, which a new process can open whatever has happened to their directories.

An open file keeps its content when another file gets its name, or when it is removed. So this process holds the files
of each model open, and offers a directory with links to them. That needs ``/proc`` (Linux); elsewhere a new process
opens the model directory itself.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from ramify.serve.hosting import version_of
from ramify.serve.jobs import Place

OPEN_FILES = Path("/proc/self/fd")


class Kept:
    """Directories of the models in use."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Place, ExitStack]] = {}

    def keep(self, place: Place, version: str) -> None:
        """Keep the model of a directory, instead of the earlier one, if it still has a version."""
        with suppress(OSError), ExitStack() as held:
            if not OPEN_FILES.is_dir():
                return
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="ramify-", ignore_cleanup_errors=True))
            for path in Path(place.directory).iterdir():
                if path.is_file():
                    file = held.enter_context(path.open("rb"))
                    Path(folder, path.name).symlink_to(f"/proc/{os.getpid()}/fd/{file.fileno()}")
            if version_of(folder) == version:  # else it was replaced again meanwhile
                self._drop(place.name)
                self._kept[place.name] = Place(place.name, folder), held.pop_all()

    def place(self, place: Place) -> Place:
        """Where a new process finds the model in use of a name."""
        return self._kept[place.name][0] if place.name in self._kept else place

    def close(self) -> None:
        """Keep nothing."""
        for name in list(self._kept):
            self._drop(name)

    def _drop(self, name: str) -> None:
        if name in self._kept:
            self._kept.pop(name)[1].close()
