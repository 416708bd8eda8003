"""The section of trainings on many workers and within a limit of memory."""

from __future__ import annotations

from collections.abc import Sequence

from racing.places import HERE
from racing.rows import Row, read_rows
from racing.tables import markdown, number

SCALE = HERE / "results" / "scale.jsonl"
TEXT = """\
`python benchmarks/scaling.py run`: one label tree with default settings, features made before. `threads`: without a
cluster, on as many threads as the others have workers. Start: until the workers of Ray take tasks; worker processes
start within the training. `× threads`: time of start and training over that of as many threads. Memory: of the largest
worker. Equal: the arrays of the model are those of one thread, bit for bit. \\*: other programs used the machine."""
FAULTS_TEXT = """\
`python benchmarks/scaling.py faults`, two workers. Worker killed: SIGKILL after 8 finished tasks. Machine removed: one
of two Ray nodes on this machine, without a warning, after 8 tasks. Driver killed: the process of the training ends
after 8 tasks, and a second one continues from its folder."""
PLAN_TEXT = """\
`python benchmarks/scaling.py plan`: what `--dry-run` expects for one worker with one thread. Measured: the training on
one thread, with the choice of C and the label tree, which the plan leaves out."""
MEMORY_TEXT = """\
`python benchmarks/memory_limit.py train`: memory without the pages of mapped files, which the system can reuse. Both
trainings read features from mapped files."""
SHARDS_TEXT = """\
`python benchmarks/memory_limit.py tfidf`: tf-idf counted in shards, beside all texts at once."""
Key = tuple[str, str, int, str | None]


def scale_section() -> str:
    """Markdown, or an empty string without rows."""
    rows = read_rows(SCALE)
    latest = {_key(row): row for row in rows if row["kind"] in ("scale", "scale-fault", "plan")}
    parts = [*_trainings(latest), *_faults(latest), *_plans(latest), *_memory(rows), *_shards(rows)]
    return "\n\n".join(["## Many workers, and less memory", *parts]) if parts else ""


def _key(row: Row) -> Key:
    return row["dataset"], row["system"], row["workers"], row["fault"]


def _of(latest: dict[Key, Row], kind: str) -> list[Row]:
    return [row for row in latest.values() if row["kind"] == kind]


def _trainings(latest: dict[Key, Row]) -> list[str]:
    lines = [_training(row, latest) for row in _of(latest, "scale")]
    header = ("set", "workers", "", "start s", "training s", "× threads", "tasks", "worker MB", "equal")
    return [TEXT, markdown(header, lines)] if lines else []


def _training(row: Row, latest: dict[Key, Row]) -> list[str]:
    name = row["system"] + (" \\*" if row.get("busy") else "")
    if row.get("failed"):
        return [row["dataset"], str(row["workers"]), f"{name}: {row['failed']}", *[""] * 6]
    beside = latest.get((row["dataset"], "threads", row["workers"], None))
    ratio = "–" if beside is None or beside.get("failed") else f"{_seconds(row) / _seconds(beside):.2f}"
    memory = number(row["worker_peak_mb"]) if "worker_peak_mb" in row else "–"
    times = [number(row["start_s"]), number(row["fit_s"]), ratio]
    return [row["dataset"], str(row["workers"]), name, *times, str(row.get("tasks", "–")), memory, _equal(row, latest)]


def _seconds(row: Row) -> float:
    return float(row["start_s"] + row["fit_s"])


def _equal(row: Row, latest: dict[Key, Row]) -> str:
    """Whether the model is that of one thread."""
    first = latest.get((row["dataset"], "threads", 1, None))
    return "–" if first is None or first.get("failed") else "yes" if first["model"] == row["model"] else "NO"


def _faults(latest: dict[Key, Row]) -> list[str]:
    lines = [
        [
            row["dataset"],
            row["system"],
            row["fault"].replace("-", " "),
            *((row["failed"], "", "", "") if row.get("failed") else _outcome(row, latest)),
        ]
        for row in _of(latest, "scale-fault")
    ]
    header = ("set", "", "fault", "training s", "tasks", "from the folder", "equal")
    return ["### Faults", FAULTS_TEXT, markdown(header, lines)] if lines else []


def _outcome(row: Row, latest: dict[Key, Row]) -> tuple[str, str, str, str]:
    return number(row["fit_s"]), str(row["tasks"]), str(row["resumed"]), _equal(row, latest)


def _plans(latest: dict[Key, Row]) -> list[str]:
    lines = []
    for row in _of(latest, "plan"):
        if row.get("failed"):
            continue
        measured = latest.get((row["dataset"], "threads", 1, None))
        known = measured is not None and not measured.get("failed")
        shape = row["shape"]
        sizes = [f"{shape[name]:,}" for name in ("labels", "documents", "positives")]
        amounts = [number(row[name] / 1e6) for name in ("bytes_per_machine", "bytes_moved", "memory_per_machine")]
        time = [number(row["hours"] * 3600), number(measured["fit_s"]) if measured and known else "–"]
        lines.append([row["dataset"], *sizes, *amounts, *time])
    header = ("set", "labels", "documents", "positives", "X MB", "moved MB", "machine MB", "expected s", "measured s")
    return ["### The plan", PLAN_TEXT, markdown(header, lines)] if lines else []


def _memory(rows: Sequence[Row]) -> list[str]:
    latest = {row["dataset"]: row for row in rows if row["kind"] == "memory-limit"}
    lines = []
    for dataset, row in latest.items():
        beside = row.get("in_memory")
        peaks = [f"{max(one['peak_mb'].values()):,}" if one else "–" for one in (row["limited"], beside)]
        times = [number(one["seconds"]) if one else "–" for one in (row["limited"], beside)]
        equal = {True: "yes", False: "NO", None: "–"}[row.get("equal")]
        lines.append([dataset, number(row["limit"] / 1e6), *peaks, *times, equal])
    header = ("set", "limit MB", "peak MB", "without a limit", "s", "without a limit", "equal")
    return ["### Training within a limit of memory", MEMORY_TEXT, markdown(header, lines)] if lines else []


def _shards(rows: Sequence[Row]) -> list[str]:
    latest = {row["dataset"]: row for row in rows if row["kind"] == "tfidf-shards"}
    lines = [
        [dataset, str(row["shards"]), f"{row['shape'][0]:,}", f"{row['shape'][1]:,}"]
        + [number(row["seconds"][name]) for name in ("whole", "shards")]
        + ["yes" if row["equal"] else "NO"]
        for dataset, row in latest.items()
    ]
    header = ("set", "shards", "documents", "features", "s at once", "s in shards", "equal")
    return ["### tf-idf by shards", SHARDS_TEXT, markdown(header, lines)] if lines else []
