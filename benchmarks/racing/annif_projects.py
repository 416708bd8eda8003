"""Projects of Annif for a data set: configuration, vocabulary, corpora, and commands under watch."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from racing.environments import Environment
from racing.places import REPOSITORY
from racing.rows import Row
from racing.runner import Limits, Outcome, resident, watch

ANNIF = Environment(name="annif", requirements=("annif[omikuji]==1.4.3", "-e", str(REPOSITORY)))
LANGUAGES = {"kirjastonhoitaja-fi": "fi", "yso-finna-en": "en", "gutenberg-lcsh": "en", "crs-bills-mini": "en"}
SNOWBALL = {"fi": "snowball(finnish)", "en": "snowball(english)"}
"""Annif's analyzer by language."""
TABLES = ("abbrev_types.txt", "collocations.tab", "sent_starters.txt", "ortho_context.tab")
"""Files of NLTK's tokenizer; empty ones replace a download."""
METRICS = ("F1@5", "NDCG@10", "Precision@1", "Precision@3", "Precision@5")
LIMITS = Limits(4 * 3600, 20_000_000_000)
"""Of one command."""

MLLM_DOCUMENTS = 2_000
"""Training documents of mllm: a few hundred to thousands are recommended, since each takes long."""

PROJECTS: Mapping[str, Mapping[str, str]] = {
    "ramify": {"backend": "ramify"},
    "ramify-own-words": {"backend": "ramify", "analyzer": ""},
    "ramify-best": {"backend": "ramify", "preset": "best"},
    "ramify-lexical": {"backend": "ramify", "model": "lexical", "analyzer": ""},
    "ramify-library": {"backend": "ramify", "preset": "library", "analyzer": ""},
    "ramify-library-analyzer": {"backend": "ramify", "preset": "library"},
    "omikuji-parabel": {"backend": "omikuji", "cluster_balanced": "True", "cluster_k": "2", "max_depth": "20"},
    "omikuji-bonsai": {"backend": "omikuji", "cluster_balanced": "False", "cluster_k": "100", "max_depth": "3"},
    "mllm": {"backend": "mllm"},
    "tfidf": {"backend": "tfidf"},
    "ensemble": {"backend": "ensemble", "sources": "omikuji-parabel:2,omikuji-bonsai:2,mllm:1"},
}
"""Project -> settings beside those that all have. The settings of omikuji are those of Annif's wiki."""


class AnnifError(Exception):
    """A command of Annif failed; how, and its last line."""


@dataclass(frozen=True)
class Used:
    """What a command used: its outcome, the largest resident memory of one process, and what it printed."""

    outcome: Outcome
    peak_bytes: int
    output: str

    def figures(self, name: str) -> Row:
        """Its costs as fields of a row."""
        return {
            f"{name}_wall_s": round(self.outcome.wall_s, 2),
            f"{name}_cpu_s": round(self.outcome.own_cpu_s, 2),
            f"{name}_others_cpu_s": round(self.outcome.others_cpu_s, 2),
            f"{name}_peak_bytes": self.peak_bytes,
        }


class Largest:
    """Resident memory of the largest process of a session: the usage of a reaped process has that of its parent."""

    def __init__(self) -> None:
        self.bytes = 0

    def observe(self, session: int) -> None:
        """Look at the processes of a session."""
        for pid in (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()):
            with suppress(ProcessLookupError):  # it has ended
                if os.getsid(pid) == session:
                    self.bytes = max(self.bytes, resident(pid))


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
        log, largest = self.folder / "output.txt", Largest()
        command = [str(ANNIF.folder / "bin" / "annif"), *arguments]
        outcome = watch(command, environment, log, LIMITS, folder=self.folder, observe=largest.observe)
        if outcome.failed is not None:
            raise AnnifError(f"annif {arguments[0]}: {outcome.failed}")
        return Used(outcome, largest.bytes, log.read_text("utf-8", "replace"))

    def train(self, project: str) -> Row:
        """Train a project: seconds, memory, and the size of its model without training documents."""
        arguments = ["--docs-limit", str(MLLM_DOCUMENTS)] if PROJECTS[project]["backend"] == "mllm" else []
        used = self.annif("train", "--jobs", "2", *arguments, project, "train.tsv.gz")
        files = [file for file in (self.folder / "data" / "projects" / project).rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files if "-train" not in file.name)
        return used.figures("train") | {"model_bytes": size}

    def evaluate(self, project: str, documents: int) -> Row:
        """Measures in percent, documents per second of two processes, and the memory of one."""
        metrics = [part for metric in METRICS for part in ("--metric", metric)]
        used = self.annif("eval", "--jobs", "2", *metrics, project, "test.tsv.gz")
        found = dict(re.findall(r"^(\S+):\s+([0-9.]+)\s*$", used.output, re.MULTILINE))
        measures = {name: round(100 * float(found[name]), 2) for name in METRICS}
        speed = round(documents / used.outcome.wall_s, 1)
        return {"measures": measures, **used.figures("eval"), "documents_per_s": speed}

    def _section(self, name: str) -> str:
        shared = {"name": name, "language": self.language, "vocab": "labels", "limit": "100"}
        settings = shared | {"analyzer": SNOWBALL[self.language]} | PROJECTS[name]
        return "".join([f"[{name}]\n", *(f"{key}={value}\n" for key, value in settings.items() if value != "")])


def _uri(number: int) -> str:
    return f"http://example.org/{number}"


def _line(text: str) -> str:
    """A text without tabs and line ends."""
    return " ".join(text.split())


def versions() -> Row:
    """Versions of what is compared."""
    done = subprocess.run(
        [str(ANNIF.python), "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    found = {one["name"]: one["version"] for one in json.loads(done.stdout)}
    return {name: found[name] for name in ("annif", "omikuji", "ramify") if name in found}
