"""The model directory: ``model.json`` (settings, versions, checksums) beside one file of arrays; never a pickle.

``format`` encodes and decodes both files, ``folder`` reaches files through one handle of their directory, ``saving``
replaces a model in one atomic step, and ``opening`` reads a model beside processes that save.
"""

from ramify.migrations import FORMAT
from ramify.store.format import MANIFEST, StoredModel
from ramify.store.opening import holds_model, open_model
from ramify.store.saving import check_target, is_model, save_model

__all__ = ["FORMAT", "MANIFEST", "StoredModel", "check_target", "holds_model", "is_model", "open_model", "save_model"]
