"""One environment per peer, made when it is first needed: peers ask for other versions than ramify, and each other."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from racing.places import HERE


class InstallError(Exception):
    """An environment could not be made; the sentence says why."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment under ``benchmarks/.venv-NAME``.

    Parameters
    ----------
    name : str
        Part of the folder's name.
    first : tuple of str
        Requirements installed before the others and apart from them: resolved together with others, torch may come as
        a build for GPUs, of gigabytes.
    bare : tuple of str
        Requirements installed without what they ask for themselves.
    requirements : tuple of str
        Requirements installed as usual.
    """

    name: str
    first: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return HERE / f".venv-{self.name}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def ensure(self) -> Path:
        """Its interpreter, after installing what is missing.

        Raises
        ------
        InstallError
            The installer's last words.
        """
        ready, wanted = self.folder / "ready.txt", "\n".join((*self.first, *self.bare, "--", *self.requirements)) + "\n"
        if ready.exists() and ready.read_text() == wanted:
            return self.python
        print(f"making the environment {self.folder.name}", flush=True)
        if self.folder.is_symlink():  # clearing would empty someone else's folder
            self.folder.unlink()
        _run([sys.executable, "-m", "venv", "--clear", str(self.folder)])
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if self.first:
            _run([*pip, *self.first])
        if self.bare:
            _run([*pip, "--no-deps", *self.bare])
        if self.requirements:
            _run([*pip, *self.requirements])
        ready.write_text(wanted)
        return self.python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise InstallError(f"cannot be installed: {said[-1] if said else 'no message'}")
