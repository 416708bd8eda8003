"""The main job, measured: quality beside libpecos on the same matrices, and whole ``ramify train`` runs on real text.

    python benchmarks/main_job.py quality --data ../shared/data        # ramify and libpecos, paired bootstrap
    python benchmarks/main_job.py train --data ../shared/data          # whole command-line runs: wall, CPU, memory
    python benchmarks/main_job.py table                                # benchmarks/results/main-job.jsonl -> markdown

Every run adds JSON lines to ``benchmarks/results/main-job.jsonl``: dataset, system, seed, every measure, command,
commit, date. libpecos runs in an environment of its own (``benchmarks/.venv-pecos``, made when first needed).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "main-job.jsonl"
PECOS_ENVIRONMENT = HERE / ".venv-pecos"
PECOS_REQUIREMENTS = ("numpy<2", "scipy<1.14", "scikit-learn")
QUALITY_SETS = ("gutenberg-lcsh", "crs-bills-mini", "bibtex", "delicious")
TRAIN_SETS = ("crs-bills-104-110", "yso-finna-en")
MEASURES = [f"{name}@{k}" for name in ("P", "nDCG", "PSP", "R") for k in (1, 3, 5)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("quality", "train", "table"))
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="*", help="data sets; all of the task's by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.task == "table":
        print(table())
        return
    run = measure_quality if chosen.task == "quality" else measure_training
    for name in chosen.sets or (QUALITY_SETS if chosen.task == "quality" else TRAIN_SETS):
        run(chosen.data / name, chosen.seed, chosen.threads)


def record(row: dict[str, Any]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout
    row |= {"commit": commit.strip(), "date": datetime.date.today().isoformat()}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps(row, ensure_ascii=False), flush=True)


def matrices(folder: Path) -> tuple[Any, Any, Any, Any]:
    """X, Y, X_test, Y_test: the default tf-idf for texts, L2-normalised rows for feature files."""
    from sklearn.preprocessing import normalize

    from ramify import Tfidf, read
    from ramify.data import align

    if (folder / "train.txt.gz").exists():
        train, test = read(folder / "train.txt.gz"), read(folder / "test.txt.gz")
        X, X_test = (sp.csr_matrix(normalize(part.X), dtype=np.float32) for part in (train, test))
        return X, train.Y, X_test, test.Y
    train = read(folder / "train.jsonl.gz")
    test = align(read(folder / "test.jsonl.gz"), list(train.label_names))
    vectorizer = Tfidf()
    X, X_test = vectorizer.fit_transform(train.texts), vectorizer.transform(test.texts)
    Y_test = sp.csr_matrix(test.Y[:, : train.n_labels])  # labels that training has not seen are out of anyone's reach
    kept = np.flatnonzero(np.diff(Y_test.indptr))
    return X, train.Y, X_test[kept], Y_test[kept]


def measure_quality(folder: Path, seed: int, threads: int) -> None:
    """Ramify at its defaults (int8, and fp32) and libpecos at its own, on the same matrices."""
    from ramify import TopK, XRLinear, compare, evaluate

    X, Y, X_test, Y_test = matrices(folder)
    command = f"python benchmarks/main_job.py quality --sets {folder.name} --seed {seed} --threads {threads}"
    tops = {}
    for precision in ("int8", "fp32"):
        before = os.times()
        model = XRLinear(seed=seed, threads=threads, precision=precision).fit(X, Y)
        middle = os.times()
        tops[f"ramify {precision}"] = model.predict_topk(X_test, 10)
        after = os.times()
        row = {"train_cpu_s": cpu(before, middle), "predict_cpu_s": cpu(middle, after)}
        row |= {"model_bytes": sum(level.nbytes for level in model.matcher_.levels)}
        report(
            folder.name,
            f"ramify {precision}",
            seed,
            row,
            evaluate(Y_test, tops[f"ramify {precision}"], Y_train=Y),
            command,
        )
    with tempfile.TemporaryDirectory() as scratch:
        pecos_row, labels, scores = run_pecos(Path(scratch), (X, Y, X_test), seed, threads)
    tops["libpecos"] = TopK(labels, scores)
    report(folder.name, "libpecos 1.2.8", seed, pecos_row, evaluate(Y_test, tops["libpecos"], Y_train=Y), command)
    paired = compare(Y_test, tops["libpecos"], tops["ramify int8"], Y_train=Y, seed=seed)
    differences = {
        name: [round(100 * getattr(paired[name], part), 3) for part in ("difference", "low", "high")] + [paired[name].p]
        for name in MEASURES
    }
    record(
        {"dataset": folder.name, "system": "ramify int8 - libpecos, paired bootstrap: [difference, low, high, p]"}
        | {"seed": seed, "measures": differences, "command": command}
    )


def cpu(before: Any, after: Any) -> float:
    return round(after.user + after.system - before.user - before.system, 3)


def report(dataset: str, system: str, seed: int, row: dict[str, Any], measured: Any, command: str) -> None:
    measures = {name: round(100 * float(measured[name]), 3) for name in MEASURES}
    record({"dataset": dataset, "system": system, "seed": seed, "measures": measures} | row | {"command": command})


def run_pecos(folder: Path, data: tuple[Any, Any, Any], seed: int, threads: int) -> tuple[dict[str, Any], Any, Any]:
    """Libpecos in a process of its own; returns its costs and its ten best labels per test row."""
    for name, matrix in zip(("X", "Y", "X_test"), data, strict=True):
        sp.save_npz(folder / f"{name}.npz", matrix.astype(np.float32), compressed=False)
    program = [str(pecos_python()), str(HERE / "peers" / "pecos_run.py"), str(folder), str(seed), str(threads)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"libpecos failed:\n{done.stderr[-2000:]}")
    found = np.load(folder / "top.npz")
    return json.loads(done.stdout.splitlines()[-1]), found["labels"], found["scores"]


def pecos_python() -> Path:
    python = PECOS_ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PECOS_ENVIRONMENT)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "libpecos==1.2.8"], check=True)
        subprocess.run([*pip, *PECOS_REQUIREMENTS], check=True)
    return python


def measure_training(folder: Path, seed: int, threads: int) -> None:
    """A whole ``ramify train`` from the gzipped JSON lines, as a user runs it, then its evaluation."""
    with tempfile.TemporaryDirectory() as scratch:
        model = str(Path(scratch) / "model")
        options = ["--out", model, "--seed", str(seed), "--threads", str(threads), "--json", "--quiet"]
        done = subprocess.run(
            [sys.executable, "-m", "ramify", "train", str(folder / "train.jsonl.gz"), *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            sys.exit(done.stderr)
        row = json.loads(done.stdout)
        row.pop("model")  # a path of this machine
        evaluated = subprocess.run(
            [sys.executable, "-m", "ramify", "evaluate", model, str(folder / "test.jsonl.gz"), "--json"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    command = f"ramify train {folder.name}/train.jsonl.gz --seed {seed} --threads {threads} --json"
    record(
        {"dataset": folder.name, "system": "ramify train", "seed": seed, "run": row}
        | {"measures": json.loads(evaluated.stdout), "command": command}
    )


def table() -> str:
    """The latest quality rows as markdown."""
    rows = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    shown = ["P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5"]
    lines = ["| data set | system | " + " | ".join(shown) + " | train CPU s |", "|---" * (len(shown) + 3) + "|"]
    latest = {(row["dataset"], row["system"]): row for row in rows if "train_cpu_s" in row}
    for (dataset, system), row in sorted(latest.items()):
        values = " | ".join(f"{row['measures'][name]:.2f}" for name in shown)
        lines.append(f"| {dataset} | {system} | {values} | {row['train_cpu_s']:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
