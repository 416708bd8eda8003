"""Use a thesaurus as the label tree instead of a learnt one. Run: python examples/own_taxonomy.py"""

from __future__ import annotations

from ramify import Tagger, Tfidf, XRLinear
from ramify.index import FixedTree, render_text, tree_from_taxonomy

# (narrower, broader), as in the "broader" relation of a SKOS thesaurus; concepts need not be labels.
IS_A = [
    ("Nature", "Everything"),
    ("Economy", "Everything"),
    ("Rivers", "Nature"),
    ("Fishes", "Nature"),
    ("Taxes", "Economy"),
    ("Banks", "Economy"),
    ("Fishes", "Economy"),  # a second parent: the label gets a leaf under each
]
TEXTS = ["water of the river", "salmon in the river", "income tax", "tax on banks", "bank deposits", "trout and salmon"]
LABELS = [["Rivers"], ["Fishes", "Rivers"], ["Taxes"], ["Taxes", "Banks"], ["Banks"], ["Fishes"]]


def main() -> None:
    names = sorted({name for row in LABELS for name in row})  # a Tagger numbers labels in this order
    tree = tree_from_taxonomy(IS_A, names)
    print(render_text(tree, names))

    model = XRLinear(indexer=FixedTree(tree), seed=0)
    tagger = Tagger(model, vectorizer=Tfidf(min_df=1)).fit(TEXTS, LABELS)
    for name, score in tagger.tag(["tax on a bank"], k=2)[0]:
        print(f"{score:.2f}  {name}")


if __name__ == "__main__":
    main()
