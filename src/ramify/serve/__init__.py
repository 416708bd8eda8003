"""HTTP service that tags texts with stored models (extra ``serve``).

One process has the connections: ``connections`` limits them, ``limits`` guards requests before they are parsed,
``app`` has the routes, ``dialects`` those of other software, and ``problems`` writes every error as
``application/problem+json``. ``batching`` gives the requests to other processes (``process``), which ``processes``
starts and replaces. Each of these opens the models (``hosting``), answers batches (``worker``, ``tagging``) and looks
up labels (``lookups``). ``reloading`` watches the model directories, and ``kept`` keeps the models in use for new
processes.
"""

from ramify.errors import MissingExtraError

try:
    import fastapi  # noqa: F401 - whether the extra is there
    import httptools  # noqa: F401
    import prometheus_client  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError:
    raise MissingExtraError("HTTP services", "serve") from None

from ramify.serve.app import create_app
from ramify.serve.config import Limits
from ramify.serve.hosting import Hosted, checked_places, host, named_place
from ramify.serve.keys import Keys
from ramify.serve.processes import Processes

__all__ = ["Hosted", "Keys", "Limits", "Processes", "checked_places", "create_app", "host", "named_place"]
