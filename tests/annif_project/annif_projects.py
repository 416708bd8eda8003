"""Projects, vocabulary and documents for the tests of the back end."""

from __future__ import annotations

import random

WORDS = {
    "rivers": "water flood bank stream delta",
    "forests": "tree leaf wood branch moss",
    "stars": "orbit comet light telescope nebula",
    "bread": "flour oven yeast dough crust",
    "music": "song violin choir melody rhythm",
    "roads": "bridge traffic lane asphalt lorry",
    "unused": "nothing",
}
FILLER = "the report of this year on new work in our town"
TRAINED = [name for name in WORDS if name != "unused"]

PROJECTS = """
[plain]
name=plain
language=en
backend=ramify
vocab=topics
limit=5

[analyzed]
name=analyzed
language=en
backend=ramify
analyzer=simple
vocab=topics

[settings]
name=settings
language=en
backend=ramify
vocab=topics
model=xr-linear
max_leaf=2
vectorizer.characters=3,4
seed=3

[calibrated]
name=calibrated
language=en
backend=ramify
vocab=topics
calibrate=yes

[reasons]
name=reasons
language=en
backend=ramify
vocab=topics
reasons=yes

[excluding]
name=excluding
language=en
backend=ramify
vocab=topics(exclude=http://example.org/rivers)

[misspelt]
name=misspelt
language=en
backend=ramify
vocab=topics
max_leef=3

[preset]
name=preset
language=en
backend=ramify
vocab=topics
preset=best
"""


def uri(name: str) -> str:
    return f"http://example.org/{name}"


def documents(count: int, seed: int = 0) -> list[tuple[str, list[str]]]:
    """Texts with one or two subjects, whose words they contain."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        names = rng.sample(TRAINED, rng.choice([1, 1, 2]))
        words = [word for name in names for word in rng.sample(WORDS[name].split(), 3)] + rng.sample(FILLER.split(), 3)
        rng.shuffle(words)
        found.append((" ".join(words), names))
    return found
