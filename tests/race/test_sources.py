"""A row is measured again where a source that its figures depend on has changed, and only there."""

import shutil

import pytest

from racing import sources
from racing.sources import module_hash, modules_of, native_files, source_hash
from racing.systems import ours

TREE, BLEND = "ramify.models.trees.xr_linear", "ramify.models.mixtures.blend"
TEXT = "ramify.features.tfidf"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """``copy(file, text)`` changes a file of a copy of the sources, from which fingerprints are computed."""
    for name in ("src", "cpp"):
        shutil.copytree(
            sources.REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__")
        )
    shutil.copy(sources.REPOSITORY / "CMakeLists.txt", tmp_path)
    for name, path in (("REPOSITORY", tmp_path), ("SRC", tmp_path / "src"), ("CPP", tmp_path / "cpp")):
        monkeypatch.setattr(sources, name, path)

    def change(file, text):
        path = tmp_path / file
        known = path.read_text("utf-8")
        path.write_text(known.replace('"""', text, 1) if text == DOCSTRING else known + text, "utf-8")
        forget()

    forget()
    yield change
    forget()


def forget():
    source_hash.cache_clear()
    module_hash.cache_clear()
    sources._imported.cache_clear()


def hashes():
    return {name: source_hash(name) for name in (TREE, BLEND, TEXT)}


CODE, COMMENT, DOCSTRING = "\nCHANGED = 1\n", "\n# other words\n", '"""Other words. '
NATIVE_CODE, NATIVE_COMMENT = "\nint changed;\n", "\n// other words\n"
CHANGES = {
    "solver": ("cpp/solver.cpp", NATIVE_CODE, {TREE, BLEND, TEXT}),
    "tree": ("src/ramify/models/trees/xr_linear.py", CODE, {TREE, BLEND}),
    "targets": ("src/ramify/linear/targets.py", CODE, {TREE, BLEND}),
    "mixture": ("src/ramify/models/mixtures/blend.py", CODE, {BLEND}),
    "native text": ("cpp/text_weigh.cpp", NATIVE_CODE, {TEXT}),
    "text": ("src/ramify/features/tfidf.py", CODE, {TEXT}),
    "command line": ("src/ramify/cli/app.py", CODE, set()),
    "messages": ("src/ramify/wording.py", CODE, set()),
    "chains": ("src/ramify/chains/order.py", CODE, set()),
    "docstring": ("src/ramify/models/trees/xr_linear.py", DOCSTRING, set()),
    "comment": ("src/ramify/linear/targets.py", COMMENT, set()),
    "native comment": ("cpp/solver.cpp", NATIVE_COMMENT, set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_counts_where_figures_depend_on_it(copy, name):
    file, text, changed = CHANGES[name]
    before = hashes()
    copy(file, text)
    after = hashes()
    assert {one for one in before if before[one] != after[one]} == changed


def test_every_system_depends_on_its_estimator():
    modules = {system.name: system.modules for system in ours()}
    assert modules["ramify"] == (TREE,)
    assert BLEND in modules["ramify-best"]
    assert TREE in modules["ramify-3-trees"]  # the model inside of the ensemble
    for names in modules.values():
        found = modules_of(*names)
        assert {"ramify.kernels.train", "ramify.linear.training", "ramify.index.kmeans"} <= found
        assert not any(one.startswith(("ramify.cli", "ramify.tagger", "ramify.chains")) for one in found)


def test_native_files_count_with_their_kernels():
    names = {file.name for file in native_files(modules_of(TREE))}
    assert {"train.cpp", "solver.cpp", "beam.cpp", "CMakeLists.txt"} <= names
    assert not any("text" in name or "neighbours" in name for name in names)
    assert {"neighbours.cpp"} <= {file.name for file in native_files(modules_of(BLEND))}


def test_without_modules_all_sources_count(copy):
    before = source_hash()
    copy("src/ramify/chains/order.py", CODE)
    assert source_hash() != before


def test_a_fingerprint_of_modules_alone_ignores_what_they_import(copy):
    known = module_hash(TREE)
    for change in ("targets", "docstring"):
        copy(*CHANGES[change][:2])
        assert module_hash(TREE) == known
    copy(*CHANGES["tree"][:2])
    assert module_hash(TREE) != known
