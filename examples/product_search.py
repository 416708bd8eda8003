"""Rank products for queries, restricted to products in stock. Run: python examples/product_search.py"""

from __future__ import annotations

from ramify import Tagger, Tfidf, XRLinear

# Each product is a label; the query before a purchase is the text.
PURCHASES = [
    ("warm winter jacket", ["Parka North"]),
    ("down jacket men", ["Parka North", "Down Jacket Light"]),
    ("light jacket", ["Down Jacket Light", "Rain Jacket"]),
    ("rain jacket hiking", ["Rain Jacket"]),
    ("hiking boots waterproof", ["Boots Trail"]),
    ("boots for snow", ["Boots Snow"]),
    ("winter boots", ["Boots Snow"]),
    ("running shoes", ["Shoes Run"]),
    ("light shoes for running", ["Shoes Run"]),
    ("trail shoes", ["Boots Trail", "Shoes Run"]),
]
IN_STOCK = ["Rain Jacket", "Boots Trail", "Shoes Run"]


def main() -> None:
    # Misspelt queries share character n-grams with the correct ones.
    vectorizer = Tfidf(words=(1, 1), characters=(3, 4), min_df=1)
    model = XRLinear(branching=2, max_leaf=4, negatives="tfn+man")
    search = Tagger(model, vectorizer=vectorizer).fit(
        [query for query, _ in PURCHASES], [products for _, products in PURCHASES]
    )
    for query in ("wintr boots", "warm jacket"):
        everything = [name for name, _ in search.tag([query], k=2)[0]]
        in_stock = [name for name, _ in search.tag([query], k=2, allowed=IN_STOCK)[0]]
        print(f"{query!r}: all {everything}; in stock {in_stock}")


if __name__ == "__main__":
    main()
