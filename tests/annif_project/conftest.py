"""Annif with the projects of ``annif_projects``, offline."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def tokenizer_data(tmp_path_factory, monkeypatch):
    """Empty tables for NLTK's tokenizer, which Annif's analyzers load, so that no download is needed."""
    import nltk

    folder = tmp_path_factory.mktemp("nltk")
    tables = folder / "tokenizers" / "punkt_tab" / "english"
    tables.mkdir(parents=True)
    for name in ("abbrev_types.txt", "collocations.tab", "sent_starters.txt", "ortho_context.tab"):
        (tables / name).touch()
    monkeypatch.setattr(nltk.data, "path", [str(folder)])


@pytest.fixture
def registry(tmp_path):
    from annif.registry import AnnifRegistry
    from annif_projects import PROJECTS, WORDS, vocabulary_file

    (tmp_path / "projects.cfg").write_text(PROJECTS)
    registry = AnnifRegistry(str(tmp_path / "projects.cfg"), str(tmp_path / "data"), init_projects=False)
    registry.get_vocab("topics").load_vocabulary(vocabulary_file(tmp_path, WORDS))
    return registry
