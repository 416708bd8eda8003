"""Projects, vocabulary and documents for the tests of the back end."""

from __future__ import annotations

import random
from typing import Any

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

[library]
name=library
language=en
backend=ramify
vocab=topics
model=fusion
members=xr-linear,nearest-texts,lexical

[analyzed-library]
name=analyzed library
language=en
backend=ramify
analyzer=snowball(english)
vocab=topics
model=fusion
members=xr-linear,lexical

[lexical]
name=lexical
language=fi
backend=ramify
analyzer=simple
vocab=topics(en)
model=lexical

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


def vocabulary_file(folder: Any, names: Any) -> Any:
    """A vocabulary of Annif."""
    from annif.vocab import VocabFileTSV

    path = folder / "vocabulary.tsv"
    path.write_text("".join(f"<{uri(name)}>\t{name}\n" for name in names))
    return VocabFileTSV(str(path), "en")


def corpus_of(project: Any, count: int = 240, seed: int = 0) -> Any:
    """Documents of a project."""
    from annif.corpus import Document, DocumentList, SubjectSet

    ids = {name: project.vocab.subjects.by_uri(uri(name)) for name in WORDS}
    return DocumentList(
        [
            Document(text=text, subject_set=SubjectSet([ids[name] for name in names]))
            for text, names in documents(count, seed)
        ]
    )


def best(project: Any, text: str) -> list[str]:
    """Names of the subjects of a text, best first."""
    from annif.corpus import Document

    [found] = project.suggest([Document(text=text)])
    return [project.subjects[one.subject_id].uri.rpartition("/")[2] for one in found]
