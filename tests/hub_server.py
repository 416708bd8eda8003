"""A local server that stands in for the file API of a hub: repositories, commits, LFS uploads, downloads, tokens.

It answers the requests of ``huggingface_hub`` 0.34 to 2.x for models. Tests read and damage its state directly.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

WRITE_TOKEN, READ_TOKEN = "hf_write", "hf_read"
LICENSES = ("apache-2.0", "cc-by-4.0", "mit")
LARGE = (".safetensors",)


@dataclass
class Repository:
    """Commits as (id, content by path), and the last commit of each branch."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes], message: str = "") -> str:
        number = hashlib.sha1(f"{len(self.commits)} {branch} {message}".encode()).hexdigest()
        self.commits[number] = dict(files)
        self.branches[branch] = number
        self.messages.append(message)
        return number

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return self.commits[self.branches.get(revision, revision)]


class Hub:
    """The server with its state, for a ``with`` statement."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.failures: list[tuple[str, int]] = []  # (pattern of "METHOD path", status)
        self.before_content: Callable[[], None] = lambda: None  # called before an upload or download of content
        self.is_hub = True  # False: downloads have no header of a hub
        self.tokens: list[str | None] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{port}"
        self.cdn = f"http://localhost:{port}/cdn"  # another host, as that of large files is

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str, files: dict[str, bytes] | None = None, **settings: bool) -> Repository:
        """A repository with a first commit, as the hub makes it."""
        self.repositories[name] = Repository(**settings)
        self.repositories[name].commit("main", {".gitattributes": b"", **(files or {})}, "initial commit")
        return self.repositories[name]

    def paths(self, method: str) -> list[str]:
        return [path for one, path in self.requests if one == method]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has left is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _RefusalError(Exception):
    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message or code)
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """No log."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((method, path))
        try:
            for pattern, status in self.hub.failures:
                if re.search(pattern, f"{method} {path}"):
                    raise _RefusalError(status, message="out of order")
            user = self._user()
            for verb, pattern, action in ROUTES:
                found = re.fullmatch(pattern, path) if method in verb else None
                if found:
                    action(self, user, body, *found.groups())
                    return
            raise _RefusalError(404, message=f"the stand-in has no {method} {path}")
        except _RefusalError as refusal:
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
            content = json.dumps({"error": refusal.message or refusal.code}).encode()
            self._send(refusal.status, content, {name: value for name, value in headers.items() if value})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _user(self) -> str | None:
        """The rights of the token: "write", "read", or None without a token."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        self.hub.tokens.append(token)
        if token is None:
            return None
        if token not in (WRITE_TOKEN, READ_TOKEN):
            raise _RefusalError(401, message="Invalid credentials in Authorization header")
        return token.removeprefix("hf_")

    def _send(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _repository(self, user: str | None, name: str) -> Repository:
        found = self.hub.repositories.get(name)
        if found is None or (found.private and user is None):
            raise _RefusalError(404 if user else 401, "RepoNotFound", "Repository not found")
        if found.gated:
            raise _RefusalError(403, "GatedRepo", "Access to this repository is restricted")
        return found

    def _commit_of(self, repository: Repository, revision: str) -> str:
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            raise _RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def _writable(self, user: str | None, name: str) -> Repository:
        repository = self._repository(user, name)
        if user != "write":
            raise _RefusalError(403 if user else 401, message="You don't have the rights to write")
        return repository

    def whoami(self, user: str | None, body: bytes) -> None:
        if user is None:
            raise _RefusalError(401, message="Invalid username or password.")
        self._send_json({"name": "ann", "type": "user", "orgs": []})

    def create(self, user: str | None, body: bytes) -> None:
        given = json.loads(body)
        name = f"{given['organization'] or 'ann'}/{given['name']}"
        if user != "write" or not name.startswith("ann/"):
            raise _RefusalError(403 if user else 401, message="You don't have the rights to create a model here")
        if name in self.hub.repositories:
            raise _RefusalError(409, message="You already created this model repo")
        self.hub.add(name, private=given.get("private") is True or given.get("visibility") == "private")
        self._send_json({"url": f"{self.hub.url}/{name}", "id": name})

    def info(self, user: str | None, body: bytes, name: str, revision: str | None = None) -> None:
        repository = self._repository(user, name)
        commit = self._commit_of(repository, revision or "main")
        siblings = [{"rfilename": path} for path in repository.commits[commit]]
        self._send_json({"id": name, "sha": commit, "private": repository.private, "siblings": siblings, "tags": []})

    def tree(self, user: str | None, body: bytes, name: str, revision: str) -> None:
        repository = self._repository(user, name)
        files = repository.commits[self._commit_of(repository, revision)]
        self._send_json(
            [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for path, content in files.items()
            ]
        )

    def branch(self, user: str | None, body: bytes, name: str, branch: str) -> None:
        repository = self._writable(user, name)
        if branch in repository.branches:
            raise _RefusalError(409, message="Reference already exists")
        repository.branches[branch] = repository.branches["main"]
        self._send_json({})

    def validate(self, user: str | None, body: bytes) -> None:
        found = re.search(r"^license: (.*)$", json.loads(body)["content"], re.MULTILINE)
        if found and found[1] not in LICENSES:
            errors = [{"message": f'"license" must be one of [{", ".join(LICENSES)}]'}]
            self._send_json({"errors": errors, "warnings": []}, 400)
            return
        self._send_json({"errors": [], "warnings": []})

    def preupload(self, user: str | None, body: bytes, name: str, revision: str) -> None:
        repository = self._writable(user, name)
        held = repository.commits[self._commit_of(repository, revision)]
        self._send_json({"files": [_mode(given["path"], held) for given in json.loads(body)["files"]]})

    def batch(self, user: str | None, body: bytes, name: str) -> None:
        self._writable(user, name)
        objects = []
        for given in json.loads(body)["objects"]:
            known = given["oid"] in self.hub.blobs
            actions = {"upload": {"href": f"{self.hub.url}/lfs/{given['oid']}", "header": {}}}
            objects.append({"oid": given["oid"], "size": given["size"]} | ({} if known else {"actions": actions}))
        self._send_json({"transfer": "basic", "objects": objects})

    def upload(self, user: str | None, body: bytes, digest: str) -> None:
        self.hub.before_content()
        if hashlib.sha256(body).hexdigest() != digest:
            raise _RefusalError(400, message="the digest differs")
        self.hub.blobs[digest] = body
        self._send(200)

    def commit(self, user: str | None, body: bytes, name: str, revision: str) -> None:
        repository = self._writable(user, name)
        files, message = dict(repository.commits[self._commit_of(repository, revision)]), ""
        for line in body.splitlines():
            change = json.loads(line)
            key, value = change["key"], change["value"]
            if key == "header":
                message = value["summary"]
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif files.pop(value["path"], None) is None:
                raise _RefusalError(404, "EntryNotFound", "A file with this name doesn't exist")
        number = repository.commit(revision, files, message)
        self._send_json({"commitUrl": f"{self.hub.url}/{name}/commit/{number}", "commitOid": number})

    def resolve(self, user: str | None, body: bytes, name: str, revision: str, path: str) -> None:
        repository = self._repository(user, name)
        commit = self._commit_of(repository, revision)
        headers = {"X-Repo-Commit": commit} if self.hub.is_hub else {}
        content = repository.commits[commit].get(path)
        if content is None:
            raise _RefusalError(404, "EntryNotFound", "Entry not found")
        if path.endswith(LARGE):
            digest = hashlib.sha256(content).hexdigest()
            self.hub.blobs.setdefault(digest, content)
            linked = {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest}"'}
            self._send(302, b"", headers | linked | {"Location": f"{self.hub.cdn}/{digest}"})
            return
        self._send_content(content, headers | {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'})

    def cdn(self, user: str | None, body: bytes, digest: str) -> None:
        self._send_content(self.hub.blobs[digest], {"ETag": f'"{digest}"'})

    def _send_content(self, content: bytes, headers: dict[str, str]) -> None:
        if self.command == "GET":
            self.hub.before_content()
        self._send(200, content, headers)


def _mode(path: str, held: dict[str, bytes]) -> dict[str, Any]:
    large = path.endswith(LARGE)
    found = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
    if path in held:
        content = held[path]
        git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        found["oid"] = hashlib.sha256(content).hexdigest() if large else git
    return found


NAME = r"([\w.-]+/[\w.-]+)"
ROUTES = [
    (("GET",), "/api/whoami-v2", _Handler.whoami),
    (("POST",), "/api/repos/create", _Handler.create),
    (("POST",), "/api/validate-yaml", _Handler.validate),
    (("GET",), f"/api/models/{NAME}", _Handler.info),
    (("GET",), f"/api/models/{NAME}/revision/(.+)", _Handler.info),
    (("GET",), f"/api/models/{NAME}/tree/(.+)", _Handler.tree),
    (("POST",), f"/api/models/{NAME}/branch/(.+)", _Handler.branch),
    (("POST",), f"/api/models/{NAME}/preupload/(.+)", _Handler.preupload),
    (("POST",), f"/api/models/{NAME}/commit/(.+)", _Handler.commit),
    (("POST",), rf"/{NAME}\.git/info/lfs/objects/batch", _Handler.batch),
    (("PUT",), "/lfs/([0-9a-f]+)", _Handler.upload),
    (("GET", "HEAD"), f"/{NAME}/resolve/([^/]+)/(.+)", _Handler.resolve),
    (("GET", "HEAD"), "/cdn/([0-9a-f]+)", _Handler.cdn),
]
