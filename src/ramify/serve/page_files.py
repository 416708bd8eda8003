"""The files of the page: contents, media types, entity tags, and the headers that they are sent with.

The page is ``index.html`` at ``/``; its other files are at ``/page/NAME``. All links of the page are relative, so that
it works below a prefix of a reverse proxy. There is no build step: the files in ``page/`` are sent as they are, but
``index.html`` gets the style sheets in place of its links to them, so that the first paint waits for one answer only.
``start.js`` loads the other modules after it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import PurePosixPath
from types import MappingProxyType

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

INDEX = "index.html"
FOLDER = files("ramify.serve").joinpath("page")
LINKS = re.compile(r'(?:<link rel="stylesheet" href="page/[a-z-]+\.css">\n)+')
"""The links of ``index.html`` to its style sheets."""


def _index() -> tuple[str, str]:
    """(HTML of the page with its styles, these styles)."""
    html = FOLDER.joinpath(INDEX).read_text("utf-8")
    [links] = LINKS.findall(html)
    style = "".join(FOLDER.joinpath(name).read_text("utf-8") for name in re.findall(r"[a-z-]+\.css", links))
    return html.replace(links, f"<style>{style}</style>\n"), style


HTML, STYLE = _index()

POLICY = (
    "default-src 'none'; script-src 'self'; "
    f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
"""Content security policy: files of this server only, no inline script, its one style sheet, no HTML from strings."""

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",  # an entity tag makes a repeated visit cheap, and an upgrade takes effect at once
    }
)
"""Headers of every file of the page."""


@dataclass(frozen=True, kw_only=True)
class PageFile:
    """One file of the page.

    Parameters
    ----------
    body : bytes
        Its content.
    media_type : str
        Value of ``Content-Type``.
    etag : str
        Value of ``ETag``: a quoted digest of the content.
    """

    body: bytes
    media_type: str
    etag: str


@cache
def page_files() -> Mapping[str, PageFile]:
    """All files of the page by name; read once per process."""
    found = {}
    for file in FOLDER.iterdir():
        media_type = MEDIA_TYPES.get(PurePosixPath(file.name).suffix)
        if media_type is not None:
            body = HTML.encode() if file.name == INDEX else file.read_bytes()
            digest = sha256(body).hexdigest()[:32]
            found[file.name] = PageFile(body=body, media_type=media_type, etag=f'"{digest}"')
    return MappingProxyType(found)


def page_file(name: str) -> PageFile | None:
    """The file of a name such as "main.js"; None if there is none. Names are looked up, never joined to a path."""
    return page_files().get(name)
