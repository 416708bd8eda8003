"""The page "ramify for Annif users": its projects and commands run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("annif", reason="Annif is not installed: make test-annif")

from annif_projects import WORDS, documents, uri

PAGE = Path(__file__).parents[2] / "docs" / "annif.md"


def write_corpus(path, count, seed):
    lines = [f"{text}\t{' '.join(f'<{uri(name)}>' for name in names)}\n" for text, names in documents(count, seed)]
    path.write_text("".join(lines))


def test_the_commands_of_the_page_run(tmp_path):
    text = PAGE.read_text("utf-8")
    [projects] = re.findall(r'```ini title="projects.cfg"\n(.*?)```', text, re.DOTALL)
    commands = "".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    assert "pip install" in commands and "annif eval" in commands and "annif hyperopt" in commands
    (tmp_path / "projects.cfg").write_text(projects)
    (tmp_path / "vocabulary.tsv").write_text("".join(f"<{uri(name)}>\t{name}\n" for name in WORDS))
    write_corpus(tmp_path / "train.tsv", 240, 0)
    write_corpus(tmp_path / "test.tsv", 60, 1)
    script = "set -euo pipefail\n" + re.sub(r"^pip install .*$", "", commands, flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    scores = dict(re.findall(r"^(F1@5|NDCG@10):\s+([0-9.]+)", done.stdout, re.MULTILINE))
    assert float(scores["NDCG@10"]) > 0.9
    assert f"<{uri('rivers')}>" in done.stdout
    assert "Got best NDCG@10 score" in done.stdout
    assert "Traceback" not in done.stderr
