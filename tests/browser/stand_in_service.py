"""A small HTTP server with the routes that the page uses, on real taggers, and with faults that a test can order."""

from __future__ import annotations

import json
import threading
import unicodedata
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from ramify import Tagger
from ramify.answering import Predictor
from ramify.errors import InputError
from ramify.serve.page_files import HEADERS, page_file
from ramify.values import LabelTree

STATUS = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 503: "Service Unavailable"}


class ProblemError(Exception):
    """An answer with a problem document."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers or {}


class Server(ThreadingHTTPServer):
    """With room for the connections that a browser opens at once."""

    request_queue_size = 128
    daemon_threads = True


class StandIn:
    """The service: ``url`` is its address; ``key`` and ``faults`` may be set at any time."""

    def __init__(self, taggers: Mapping[str, Tagger], *, key: str | None = None) -> None:
        self.taggers, self.key = dict(taggers), key
        self.faults: list[ProblemError] = []
        self.requests: list[tuple[str, Any]] = []
        self._server = Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, route: str, query: dict[str, str], body: Any) -> Any:
        """The JSON answer of one route."""
        self.requests.append((route, body or query))
        if self.faults and route == "/v1/tag":
            raise self.faults.pop(0)
        if route == "/v1/models":
            return {"models": [_model(name, tagger) for name, tagger in self.taggers.items()]}
        name = (body or query).get("model") or next(iter(self.taggers))
        if name not in self.taggers:
            raise ProblemError(404, f"there is no model {name!r}: see /v1/models")
        routes = {
            "/v1/tag": lambda one: _tag(name, one, body),
            "/v1/labels": lambda one: _labels(one, query),
            "/v1/label": lambda one: _label(one, query["label"]),
            "/v1/tree": lambda one: _tree_node(one, query.get("level"), query.get("node")),
            "/v1/operating-points": _operating_points,
        }
        if route not in routes:
            raise ProblemError(404, f"there is no {route}")
        return routes[route](self.taggers[name])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                name = "index.html" if parts.path == "/" else parts.path.removeprefix("/page/")
                file = None if parts.path.startswith("/v1/") else page_file(name)
                if file is not None:
                    self._send(200, file.body, {"Content-Type": file.media_type, "ETag": file.etag, **HEADERS})
                else:
                    self._respond(parts.path, {key: found[0] for key, found in parse_qs(parts.query).items()}, None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._respond(self.path, {}, json.loads(body))

            def _respond(self, route: str, query: dict[str, str], body: Any) -> None:
                try:
                    if service.key is not None and self.headers.get("Authorization") != f"Bearer {service.key}":
                        raise ProblemError(401, "the request has no valid API key: send it as a bearer token")
                    found, status, headers = service.answer(route, query, body), 200, {}
                except (ProblemError, InputError) as error:
                    status = error.status if isinstance(error, ProblemError) else 400
                    headers = error.headers if isinstance(error, ProblemError) else {}
                    found = {"type": "about:blank", "title": STATUS[status], "status": status, "detail": str(error)}
                kind = "application/json" if status == 200 else "application/problem+json"
                self._send(status, json.dumps(found).encode(), {"Content-Type": kind, **headers})

            def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def _tree(tagger: Tagger) -> LabelTree | None:
    parts = [tagger.model_, *getattr(tagger.model_, "inside", dict)().values()]
    return next((part.search_.tree for part in parts if hasattr(part, "search_")), None)


def _model(name: str, tagger: Tagger) -> dict[str, Any]:
    return {
        "name": name,
        "version": "0" * 12,
        "kind": type(tagger.model_).__name__,
        "labels": len(tagger.label_names_),
        "calibrated": tagger.decisions_ is not None,
        "rules": ["micro-f1"],
        "explains": True,
        "tree": _tree(tagger) is not None,
        "needs": ["texts"],
    }


def _tag(name: str, tagger: Tagger, body: dict[str, Any]) -> dict[str, Any]:
    wanted = {key: body[key] for key in ("k", "threshold", "allowed", "forbidden", "why") if body.get(key) is not None}
    predictor = Predictor(tagger=tagger, probabilities=body.get("probabilities", True), threads=1, **wanted)
    texts = body.get("texts") or [body["text"]]
    documents = []
    for answer in predictor.answers([(None, text) for text in texts]):
        labels = [dict(tag._asdict()) for tag in answer.tags]
        for label in labels:
            if answer.why is not None:
                label["why"] = _why(answer.why[label["label"]])
            if body.get("path") and _tree(tagger) is not None:
                label["path"] = next((sense["path"] for sense in _label(tagger, label["label"])["senses"]), [])
        documents.append({"labels": labels})
    calibrated = tagger.decisions_ is not None
    return {"model": name, "version": "0" * 12, "calibrated": calibrated, "documents": documents}


def _why(reasons: Any) -> dict[str, Any]:
    positive, negative = ([[term.text, term.strength] for term in terms] for terms in reasons.strongest(8))
    return {
        "for": positive,
        "against": negative,
        "spans": [[word.begin, word.end, word.strength] for word in reasons.words],
    }


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def _labels(tagger: Tagger, query: dict[str, str]) -> dict[str, Any]:
    sought = _plain(query.get("q", ""))
    found = [number for number, name in enumerate(tagger.label_names_) if f" {sought}" in f" {_plain(name)}"]
    found.sort(key=lambda number: -int(tagger.label_counts_[number]))
    return {"labels": [_entry(tagger, number) for number in found[: int(query.get("limit", 20))]]}


def _entry(tagger: Tagger, number: int) -> dict[str, Any]:
    return {"label": tagger.label_names_[number], "key": None, "documents": int(tagger.label_counts_[number])}


def _span(tree: LabelTree, level: int, node: int) -> tuple[int, int]:
    """The leaves below a node."""
    first, last = node, node + 1
    for below in range(level + 1, tree.depth):
        pointers = tree.first_children(below)
        first, last = int(pointers[first]), int(pointers[last])
    return first, last


def _node(tagger: Tagger, level: int, node: int) -> dict[str, Any]:
    tree = _tree(tagger)
    first, last = _span(tree, level, node)
    labels = np.unique(tree.leaf_labels[first:last])
    labels = labels[np.argsort(-tagger.label_counts_[labels], kind="stable")]
    return {
        "level": level,
        "node": node,
        "size": last - first,
        "labels": [tagger.label_names_[number] for number in labels[:5].tolist()],
    }


def _tree_node(tagger: Tagger, level: str | None, node: str | None) -> dict[str, Any]:
    """A node with its children; without level and node, the root, whose children are the nodes of level 0."""
    tree = _tree(tagger)
    if tree is None:
        raise ProblemError(404, "the model has no label tree")
    own = {"level": -1, "node": 0, "size": tree.n_leaves} if level is None else _node(tagger, int(level), int(node))
    below = own["level"] + 1
    first, last = tree.first_children(below)[own["node"] : own["node"] + 2].tolist()
    if below == tree.depth - 1:
        names = [tagger.label_names_[number] for number in tree.leaf_labels[first:last].tolist()]
        return own | {"children": [], "labels": names}
    return own | {"children": [_node(tagger, below, child) for child in range(first, last)], "labels": []}


def _label(tagger: Tagger, name: str) -> dict[str, Any]:
    [number] = tagger.label_ids([name])
    tree = _tree(tagger)
    senses, siblings = [], []
    for leaf in [] if tree is None else np.flatnonzero(tree.leaf_labels == number).tolist():
        nodes = [leaf]
        for level in range(tree.depth - 1, 0, -1):
            nodes.insert(0, int(tree.parents[level][nodes[0]]))
        senses.append({"path": [_node(tagger, level, node) for level, node in enumerate(nodes)]})
        own = tree.parents[-1] == tree.parents[-1][leaf]
        siblings += [tagger.label_names_[other] for other in tree.leaf_labels[own].tolist() if other != number]
    return _entry(tagger, number) | {"senses": senses, "siblings": siblings[:20]}


def _operating_points(tagger: Tagger) -> dict[str, Any]:
    if tagger.decisions_ is None:
        raise ProblemError(404, "the model is not calibrated: run ramify calibrate")
    evidence, calibration = tagger.decisions_.evidence, tagger.decisions_.calibration
    probabilities = np.where(evidence.valid, calibration.probabilities(evidence.top), -1)
    points = []
    for threshold in np.linspace(0.95, 0.05, 19).tolist():
        kept = probabilities >= threshold
        right = int((kept & evidence.hits).sum())
        points.append(
            {
                "threshold": round(threshold, 4),
                "precision": right / max(1, int(kept.sum())),
                "recall": right / int(evidence.n_true.sum()),
                "labels": float(kept.sum(axis=1).mean()),
            }
        )
    return {"points": points}
