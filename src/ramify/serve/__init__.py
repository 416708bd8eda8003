"""HTTP service that tags texts with stored models (extra ``serve``).

``hosting`` opens the models, ``limits`` guards requests before they are parsed, ``app`` has the routes, and
``problems`` writes every error as ``application/problem+json``.
"""

from ramify.errors import MissingExtraError

try:
    import fastapi  # noqa: F401 - whether the extra is there
    import uvicorn  # noqa: F401
except ImportError:
    raise MissingExtraError("HTTP services", "serve") from None

from ramify.serve.app import create_app
from ramify.serve.config import Limits
from ramify.serve.hosting import Hosted, host, named_place
from ramify.serve.keys import Keys

__all__ = ["Hosted", "Keys", "Limits", "create_app", "host", "named_place"]
