"""Labels from a service: start ``ramify serve model``, and run this file with its address and texts."""

import json
import sys
from urllib.request import Request, urlopen


def tag(address, texts, key="", **options):
    """The labels of each text; the options are those of ``POST /v1/tag``."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = Request(f"{address}/v1/tag", json.dumps({"texts": texts, **options}).encode(), headers)
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)["documents"]


if len(sys.argv) < 3:
    sys.exit(print("nothing is tagged: give the address of a service, such as http://127.0.0.1:8000, and texts"))
for text, document in zip(sys.argv[2:], tag(sys.argv[1], sys.argv[2:], k=3), strict=True):
    print(text, [(label["label"], label["score"]) for label in document["labels"]])
