"""Projects of Annif for a data set: configuration, vocabulary, corpora, and commands under watch."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from racing.environments import Environment
from racing.places import REPOSITORY
from racing.rows import Row

ANNIF = Environment(name="annif", requirements=("annif[omikuji]==1.4.3", "-e", str(REPOSITORY)))
LANGUAGES = {"kirjastonhoitaja-fi": "fi", "yso-finna-en": "en", "gutenberg-lcsh": "en", "crs-bills-mini": "en"}
SNOWBALL = {"fi": "snowball(finnish)", "en": "snowball(english)"}
"""Annif's analyzer by language."""
TABLES = ("abbrev_types.txt", "collocations.tab", "sent_starters.txt", "ortho_context.tab")
"""Files of NLTK's tokenizer; empty ones replace a download."""
METRICS = ("F1@5", "NDCG@10", "Precision@1", "Precision@3", "Precision@5")
MLLM_DOCUMENTS = 2_000
"""Training documents of mllm: a few hundred to thousands are recommended, since each takes long."""

PROJECTS: Mapping[str, Mapping[str, str]] = {
    "ramify": {"backend": "ramify"},
    "ramify-own-words": {"backend": "ramify", "analyzer": ""},
    "ramify-best": {"backend": "ramify", "preset": "best"},
    "ramify-lexical": {"backend": "ramify", "model": "lexical", "analyzer": ""},
    "ramify-library": {"backend": "ramify", "preset": "library", "analyzer": ""},
    "omikuji-parabel": {"backend": "omikuji", "cluster_balanced": "True", "cluster_k": "2", "max_depth": "20"},
    "omikuji-bonsai": {"backend": "omikuji", "cluster_balanced": "False", "cluster_k": "100", "max_depth": "3"},
    "mllm": {"backend": "mllm"},
    "tfidf": {"backend": "tfidf"},
    "ensemble": {"backend": "ensemble", "sources": "omikuji-parabel:2,omikuji-bonsai:2,mllm:1"},
}
"""Project -> settings beside those that all have. The settings of omikuji are those of Annif's wiki."""


class AnnifError(Exception):
    """A command of Annif failed; its last line."""


@dataclass(frozen=True)
class Used:
    """What a command used: seconds by the clock, CPU seconds, and the largest resident memory of one process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str


@dataclass(frozen=True)
class Place:
    """A folder with projects for one data set.

    Parameters
    ----------
    folder : Path
    language : str
    """

    folder: Path
    language: str

    def prepare(self, names: Sequence[str], corpora: Mapping[str, Sequence[tuple[str, Sequence[int]]]]) -> None:
        """Write everything and load the vocabulary, unless that was done.

        Parameters
        ----------
        names : sequence of str, length L
        corpora : mapping of str to sequence of (text, label numbers)
            By the names of files.
        """
        (self.folder / "projects.cfg").write_text("\n".join(map(self._section, PROJECTS)))
        if (self.folder / "ready").exists():
            return
        tables = self.folder / "nltk" / "tokenizers" / "punkt_tab" / "english"
        tables.mkdir(parents=True, exist_ok=True)
        for table in TABLES:
            (tables / table).touch()
        lines = [f"<{_uri(number)}>\t{_line(name)}\n" for number, name in enumerate(names)]
        (self.folder / "vocabulary.tsv").write_text("".join(lines), "utf-8")
        for name, documents in corpora.items():
            with gzip.open(self.folder / f"{name}.tsv.gz", "wt", encoding="utf-8") as file:
                for text, labels in documents:
                    file.write(f"{_line(text)}\t{' '.join(f'<{_uri(label)}>' for label in labels)}\n")
        self.annif("load-vocab", "--language", self.language, "labels", "vocabulary.tsv")
        (self.folder / "ready").touch()

    def annif(self, *arguments: str) -> Used:
        """A command of Annif.

        Raises
        ------
        AnnifError
            It failed.
        """
        environment = os.environ | {
            "ANNIF_CONFIG": "ramify.annif.DevelopmentConfig",
            "NLTK_DATA": str(self.folder / "nltk"),
        }
        log = self.folder / "output.txt"
        begin = time.monotonic()
        with log.open("wb") as output:
            command = [str(ANNIF.folder / "bin" / "annif"), *arguments]
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=output, stderr=output, start_new_session=True
            )
            peak = 0
            try:
                reaped = 0
                while not reaped:
                    peak = max(peak, _largest(process.pid))
                    time.sleep(0.05)
                    reaped, status, usage = os.wait4(process.pid, os.WNOHANG)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        process.returncode = os.waitstatus_to_exitcode(status)
        text = log.read_text("utf-8", "replace")
        if process.returncode != 0:
            raise AnnifError(f"annif {arguments[0]} failed: {text.strip().splitlines()[-1:]}")
        return Used(time.monotonic() - begin, usage.ru_utime + usage.ru_stime, peak, text)

    def train(self, project: str) -> Row:
        """Train a project: seconds, memory, and the size of its model without training documents."""
        arguments = ["--docs-limit", str(MLLM_DOCUMENTS)] if PROJECTS[project]["backend"] == "mllm" else []
        used = self.annif("train", "--jobs", "2", *arguments, project, "train.tsv.gz")
        files = [file for file in (self.folder / "data" / "projects" / project).rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files if "-train" not in file.name)
        return {
            "train_wall_s": round(used.wall_s, 2),
            "train_cpu_s": round(used.cpu_s, 2),
            "train_peak_bytes": used.peak_bytes,
            "model_bytes": size,
        }

    def evaluate(self, project: str, documents: int) -> Row:
        """Measures in percent, documents per second of two processes, and the memory of one."""
        metrics = [part for metric in METRICS for part in ("--metric", metric)]
        used = self.annif("eval", "--jobs", "2", *metrics, project, "test.tsv.gz")
        found = dict(re.findall(r"^(\S+):\s+([0-9.]+)\s*$", used.output, re.MULTILINE))
        return {
            "measures": {name: round(100 * float(found[name]), 2) for name in METRICS},
            "eval_wall_s": round(used.wall_s, 2),
            "eval_cpu_s": round(used.cpu_s, 2),
            "documents_per_s": round(documents / used.wall_s, 1),
            "eval_peak_bytes": used.peak_bytes,
        }

    def _section(self, name: str) -> str:
        shared = {"name": name, "language": self.language, "vocab": "labels", "limit": "100"}
        settings = shared | {"analyzer": SNOWBALL[self.language]} | PROJECTS[name]
        return "".join([f"[{name}]\n", *(f"{key}={value}\n" for key, value in settings.items() if value != "")])


def _uri(number: int) -> str:
    return f"http://example.org/{number}"


def _line(text: str) -> str:
    """A text without tabs and line ends."""
    return " ".join(text.split())


def _largest(session: int) -> int:
    """Resident memory of the largest process of a session: the usage of a reaped process has that of its parent."""
    found = [0]
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if os.getsid(int(folder.name)) == session:
                    found.append(int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
            except OSError:  # it has ended
                continue
    return max(found)


def versions() -> Row:
    """Versions of what is compared."""
    done = subprocess.run(
        [str(ANNIF.python), "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    found = {one["name"]: one["version"] for one in json.loads(done.stdout)}
    return {name: found[name] for name in ("annif", "omikuji", "ramify") if name in found}
