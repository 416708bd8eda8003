"""Facts that clients look up: they agree with the fitted tree, the counts and the evidence of the calibration."""

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx")

from ramify.answering import open_tagger
from ramify.serve import create_app, host
from ramify.serve.places import LabelPlaces, tree_of
from ramify.values import LabelTree
from serving_models import saved
from serving_tools import ask, problem


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("looked-up"))


@pytest.fixture(scope="module")
def app(places):
    return create_app(host(list(places.items())))


@pytest.fixture(scope="module")
def tagger(places):
    return open_tagger(places["topics"])


def get(app, path, **params):
    answer = ask(app, "GET", path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(app, path, status, **params):
    return problem(ask(app, "GET", path, params=params), status)


def leaves_below(tree, level, node):
    """The leaves of a node, from the parents of each level."""
    nodes = np.array([node])
    for below in range(level + 1, tree.depth):
        nodes = np.flatnonzero(np.isin(tree.parents[below], nodes))
    return nodes


def test_the_tree_is_the_fitted_one(app, tagger):
    tree, names, counts = tree_of(tagger), list(tagger.label_names_), tagger.label_counts_
    found, waiting = [], [get(app, "/v1/tree")]
    assert (waiting[0]["level"], waiting[0]["node"], waiting[0]["size"]) == (-1, 0, tree.n_leaves)
    assert [one["node"] for one in waiting[0]["children"]] == list(range(tree.level_sizes[0]))
    visited = 0
    while waiting:
        node = waiting.pop()
        visited += 1
        if node["level"] >= 0:
            leaves = leaves_below(tree, node["level"], node["node"])
            assert node["size"] == len(leaves)
        if node["children"]:
            assert node["labels"] == []
            for child in node["children"]:
                below = tree.leaf_labels[leaves_below(tree, child["level"], child["node"])]
                assert child["level"] == node["level"] + 1
                most = sorted({int(label) for label in below}, key=lambda label: -counts[label])
                assert [counts[names.index(name)] for name in child["labels"]] == [counts[one] for one in most[:5]]
                assert {names.index(name) for name in child["labels"]} <= set(below.tolist())
                waiting.append(get(app, "/v1/tree", level=child["level"], node=child["node"]))
        else:
            assert node["labels"] == [names[label] for label in tree.leaf_labels[leaves].tolist()]
            found += node["labels"]
    assert sorted(found) == sorted(names[label] for label in tree.leaf_labels.tolist())
    assert visited == 1 + sum(tree.level_sizes[:-1])
    leaf = get(app, "/v1/tree", level=tree.depth - 1, node=0)
    assert (leaf["children"], leaf["labels"], leaf["size"]) == ([], [names[tree.leaf_labels[0]]], 1)


def test_a_label_has_its_places_in_the_tree(app, tagger):
    tree, names = tree_of(tagger), list(tagger.label_names_)
    several = 0
    for number, name in enumerate(names):
        answer = get(app, "/v1/label", label=name)
        assert answer["label"] == name
        assert answer["key"] == f"http://example.org/subjects/{number}"
        assert answer["documents"] == tagger.label_counts_[number]
        paths = []
        for leaf in np.flatnonzero(tree.leaf_labels == number).tolist():
            path = [leaf]
            for level in range(tree.depth - 1, 0, -1):
                path.insert(0, int(tree.parents[level][path[0]]))
            paths.append(path)
        assert [[node["node"] for node in sense["path"]] for sense in answer["senses"]] == paths
        several += len(paths) > 1
        clusters = {path[-2] for path in paths}
        beside = np.isin(tree.parents[-1], list(clusters))
        assert set(answer["siblings"]) == {names[label] for label in tree.leaf_labels[beside].tolist()} - {name}
    assert several > 0
    assert get(app, "/v1/label", label="http://example.org/subjects/0")["label"] == names[0]


def test_the_path_of_a_tagged_label_is_one_of_its_places(app):
    body = {"text": "river statute permit", "path": True}
    labels = ask(app, "POST", "/v1/tag", json=body).json()["documents"][0]["labels"]
    assert labels
    for one in labels:
        assert {"path": one["path"]} in get(app, "/v1/label", label=one["label"])["senses"]
    assert (
        ask(app, "POST", "/v1/tag", json=body | {"model": "neighbours"}).json()["documents"][0]["labels"][0]["path"]
        is None
    )


def test_labels_are_searched_and_counted(app, tagger):
    found = get(app, "/v1/labels", q="WATER")["labels"]
    assert {one["label"] for one in found} == {"Water law", "Water pollution", "Drinking water"}
    counts = [one["documents"] for one in found]
    assert counts == tagger.label_counts_[tagger.label_ids([one["label"] for one in found])].tolist()
    assert counts == sorted(counts, reverse=True)
    assert [one["label"] for one in get(app, "/v1/labels", q="elec")["labels"]] == ["Élections"]
    assert len(get(app, "/v1/labels", limit=100)["labels"]) == len(tagger.label_names_)
    assert len(get(app, "/v1/labels", model="neighbours", limit=3)["labels"]) == 3


def test_operating_points_are_those_of_the_held_out_documents(app, tagger):
    evidence, calibration = tagger.decisions_.evidence, tagger.decisions_.calibration
    probabilities = calibration.probabilities(evidence.top)
    points = get(app, "/v1/operating-points")["points"]
    assert len(points) > 5
    for point in points:
        right = number = 0
        for row, column in zip(*np.nonzero(evidence.valid), strict=True):
            if probabilities[row, column] >= point["threshold"]:
                number += 1
                right += bool(evidence.hits[row, column])
        assert point["precision"] == pytest.approx(right / number)
        assert point["recall"] == pytest.approx(right / evidence.n_true.sum())
        assert point["labels"] == pytest.approx(number / len(evidence.n_true))
    for name in ("recall", "labels"):
        values = [point[name] for point in points]
        assert values == sorted(values)
    thresholds = [point["threshold"] for point in points]
    assert thresholds == sorted(thresholds, reverse=True)


def test_what_cannot_be_looked_up_is_refused(app):
    assert "not calibrated" in refused(app, "/v1/operating-points", 404, model="neighbours")
    assert "no label tree" in refused(app, "/v1/tree", 404, model="neighbours")
    assert "Water law" in refused(app, "/v1/label", 404, label="Water lav")
    assert "no node 99 at level 0" in refused(app, "/v1/tree", 404, level=0, node=99)
    assert "no node 0 at level 50" in refused(app, "/v1/tree", 404, level=50, node=0)
    assert "no node 1 at level -1" in refused(app, "/v1/tree", 404, node=1)
    for params in ({"level": -2}, {"level": "a"}, {"node": -1}, {"node": 2**40}, {"level": 1001}):
        refused(app, "/v1/tree", 422, **params)
    assert "label is missing" in refused(app, "/v1/label", 422)
    refused(app, "/v1/label", 422, label="a" * 10_001)
    refused(app, "/v1/labels", 422, q="a" * 201)
    for path in ("/v1/tree", "/v1/labels", "/v1/operating-points"):
        assert "use one of topics, neighbours" in refused(app, path, 404, model="no")
    assert get(app, "/v1/label", label="Roads", model="neighbours")["senses"] == []


def test_a_tree_without_clusters_gives_no_labels_of_the_same_cluster(tagger):
    count = len(tagger.label_names_)
    flat = LabelTree.flat(np.arange(count, dtype=np.int32), count)
    assert LabelPlaces(tagger, flat).siblings(0) == []
