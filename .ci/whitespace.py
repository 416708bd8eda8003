"""Refuse text files without a newline at the end, with empty lines at the end, or with spaces at the end of a line.

python .ci/whitespace.py FILE...
"""

import sys
from pathlib import Path


def problems(path: Path) -> list[str]:
    text = path.read_bytes()
    found = [
        f"{path}:{number}: spaces at the end of the line"
        for number, line in enumerate(text.split(b"\n"), 1)
        if line != line.rstrip(b" \t\r")
    ]
    if text and (not text.endswith(b"\n") or text.endswith(b"\n\n")):
        found.append(f"{path}: the file must end with one newline")
    return found


if __name__ == "__main__":
    found = [problem for name in sys.argv[1:] for problem in problems(Path(name))]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
