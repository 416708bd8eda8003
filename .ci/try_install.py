"""Use an installed ramify as a newcomer would: import, tag, save, load, call the command; away from the sources."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from pathlib import Path

IMPORT_LIMIT_SECONDS = 0.3
MEASURE = "import time; t = time.perf_counter(); import ramify; print(time.perf_counter() - t)"


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def expect(holds: bool, fact: str) -> None:
    print(("  ok: " if holds else "  WRONG: ") + fact)
    if not holds:
        sys.exit(1)


def check_weight(limit_mb: int) -> None:
    packages = Path(sysconfig.get_path("purelib"))
    ours = [path for path in packages.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in ours) / 1e6
    expect(size < limit_mb, f"the environment weighs {size:.0f} MB, limit {limit_mb} MB")


def check_import() -> None:
    seconds = min(float(python(MEASURE)) for _ in range(5))
    expect(seconds < IMPORT_LIMIT_SECONDS, f"import ramify takes {seconds:.3f} s, limit {IMPORT_LIMIT_SECONDS} s")
    loaded = python("import ramify, sys; ramify.Tagger, ramify.evaluate; print('torch' in sys.modules)")
    expect(loaded.strip() == "False", "torch is not imported")


def check_tagging() -> None:
    import ramify

    texts = ["clean water in rivers", "fish in rivers", "tax on banks", "banks and credit"] * 5
    labels = [["water"], ["fish", "water"], ["tax", "banks"], ["banks"]] * 5
    tagger = ramify.Tagger(ramify.XRLinear(max_leaf=2, branching=2, threads=2)).fit(texts, labels)
    tagger.save("model")
    query = ["a tax on banks"]
    found = ramify.load("model").tag(query, k=2)
    expect({name for name, _ in found[0]} == {"tax", "banks"}, f"trained, saved, loaded, tagged: {found[0]}")
    expect(found == tagger.tag(query, k=2), "the loaded model answers as the saved one")


def check_command() -> None:
    command = Path(sysconfig.get_path("scripts")) / "ramify"
    answer = subprocess.run([command, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    started = time.perf_counter()
    line = subprocess.run(
        [command, "predict", "model", "-", "--plain"], input="fish\n", check=True, capture_output=True, text=True
    ).stdout
    expect(answer.startswith("ramify "), f"ramify --version says {answer!r}")
    expect('"fish"' in line, f"ramify predict answers within {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    check_weight(int(sys.argv[1]))
    check_import()
    check_tagging()
    check_command()
