"""Counts the instructions of the main kernels with callgrind and compares them with ``counts.json``.

A count does not hang on the machine's speed or load, so a kernel that has become slower by its own work is told
where a clock would see noise only. ``--accept`` writes today's counts into the file.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FIGURES = HERE / "counts.json"
BUILD = ROOT / "build" / "instructions"
TOLERANCE = 0.03
OTHER_COMPILER_TOLERANCE = 0.15
NOTABLE_DROP = 0.1

# As in CMakeLists.txt.
FLAGS = [
    "-std=gnu++20",
    "-O3",
    "-DNDEBUG",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-ffp-contract=off",
    "-pthread",
    "-g1",
]
AVX2 = ["-mavx2", "-mfma", "-mf16c", "-mbmi2", "-mpopcnt"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]


def main() -> int:
    """Build, count, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write today's counts into counts.json")
    accept = parser.parse_args().accept
    if platform.machine() not in ("x86_64", "AMD64"):
        return _skipped(f"the committed counts are of x86-64, this is {platform.machine()}")
    valgrind = _valgrind()
    if valgrind is None:
        return _skipped("valgrind is neither installed nor to be had through apt-get download")
    driver = _build()
    kernels = re.findall(r"^RAMIFY_COUNTED void counted_(\w+)", (HERE / "kernels.cpp").read_text("utf-8"), re.MULTILINE)
    runs = [(isa, kernel) for isa in _instruction_sets() for kernel in kernels]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda run: _count(valgrind, driver, *run), runs)
    counts: dict[str, dict[str, int]] = {}
    for (isa, kernel), count in zip(runs, found, strict=True):
        counts.setdefault(isa, {})[kernel] = count
    compiler = _compiler()
    if accept:
        FIGURES.write_text(json.dumps({"compiler": compiler, "counts": counts}, indent=2) + "\n", "utf-8")
        print(f"wrote {FIGURES.relative_to(ROOT)}")
        return 0
    return _compare(json.loads(FIGURES.read_text("utf-8")), counts, compiler)


def _skipped(reason: str) -> int:
    print(f"skipped: {reason}")
    return 0


def _valgrind() -> list[str] | None:
    """The command that starts valgrind; without one, Debian's package is unpacked beside the build, as no root."""
    installed = shutil.which("valgrind")
    if installed:
        return [installed]
    unpacked = BUILD / "valgrind"
    if not (unpacked / "usr/bin/valgrind").exists() and not _fetch(unpacked):
        return None
    return ["env", f"VALGRIND_LIB={unpacked / 'usr/libexec/valgrind'}", str(unpacked / "usr/bin/valgrind")]


def _fetch(target: Path) -> bool:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        fetched = subprocess.run(["apt-get", "download", "valgrind"], cwd=folder, capture_output=True, check=False)
        packages = list(Path(folder).glob("*.deb"))
        if fetched.returncode != 0 or not packages:
            return False
        subprocess.run(["dpkg-deb", "-x", packages[0], target], check=True)
    return (target / "usr/libexec/valgrind").is_dir()


def _compiler() -> str:
    command = os.environ.get("CXX", "g++")
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _build() -> Path:
    BUILD.mkdir(parents=True, exist_ok=True)
    sources = [source for source in sorted((ROOT / "cpp").glob("*.cpp")) if not source.name.startswith("bindings")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(_compile, [*sources, HERE / "kernels.cpp"]))
    driver = BUILD / "kernels"
    subprocess.run([os.environ.get("CXX", "g++"), "-pthread", "-rdynamic", *objects, "-o", driver], check=True)
    return driver


def _compile(source: Path) -> Path:
    target = BUILD / (source.stem + ".o")
    extra = AVX512 if source.stem.endswith("_avx512") else AVX2 if source.stem.endswith("_avx2") else []
    if extra and source.stem.startswith("solver"):
        extra = [*extra, "-ffp-contract=fast"]
    command = [os.environ.get("CXX", "g++"), *FLAGS, *extra, f"-I{ROOT / 'cpp'}", "-c", source, "-o", target]
    subprocess.run(command, check=True)
    return target


def _instruction_sets() -> list[str]:
    """Those that valgrind understands and this processor has."""
    cpu = Path("/proc/cpuinfo")
    has_avx2 = cpu.exists() and " avx2 " in cpu.read_text("utf-8")
    return ["baseline", "avx2"] if has_avx2 else ["baseline"]


def _count(valgrind: list[str], driver: Path, isa: str, kernel: str) -> int:
    """Instructions of the function ``counted_KERNEL``, what it calls included."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--tool=callgrind", f"--toggle-collect=counted_{kernel}", f"--callgrind-out-file={folder}/out"]
        environment = os.environ | {"RAMIFY_ISA": isa}
        done = subprocess.run(
            [*valgrind, *options, driver], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"the kernels fail under valgrind:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        total = re.search(r"^summary: (\d+)", Path(folder, "out").read_text("utf-8"), re.MULTILINE)
    return int(total[1]) if total else 0


def _compare(figures: dict, counts: dict[str, dict[str, int]], compiler: str) -> int:
    tolerance = TOLERANCE
    if figures["compiler"] != compiler:
        tolerance = OTHER_COMPILER_TOLERANCE
        print(f"compiled by {compiler}, the committed counts by {figures['compiler']}: {tolerance:.0%} are tolerated")
    failed = False
    for isa, kernels in counts.items():
        for kernel in sorted(kernels.keys() | figures["counts"][isa].keys()):
            failed |= _judge(f"{kernel} ({isa})", figures["counts"][isa].get(kernel), kernels.get(kernel), tolerance)
    return int(failed)


def _judge(name: str, before: int | None, now: int | None, tolerance: float) -> bool:
    accept = f"if that is meant, run python {Path(__file__).relative_to(ROOT)} --accept and commit counts.json"
    if before is None or now is None:
        print(f"FAILED: {name} is {'new' if before is None else 'gone'}; {accept}")
        return True
    change = now / before - 1
    note = " (a good deal less: accept it, so that it stays)" if change < -NOTABLE_DROP else ""
    print(f"{name}: {now:,} instructions, {change:+.1%}{note}")
    if change > tolerance:
        print(f"FAILED: {name} takes {change:.1%} more instructions than the {before:,} committed; {accept}")
    return change > tolerance


if __name__ == "__main__":
    sys.exit(main())
