"""Where the race keeps its things."""

from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
REPOSITORY = HERE.parent
CONTESTANTS = HERE / "contestants"
CACHE = HERE / ".cache"
ROWS = HERE / "results" / "race.jsonl"
REPORT = HERE / "RESULTS.md"
PLOTS = HERE / "plots"
README = REPOSITORY / "README.md"
DATA = REPOSITORY.parent / "shared" / "data"
