"""The files around the code agree with each other: versions, workflows, wheels, hooks."""

from pathlib import Path

import pytest

import ramify

ROOT = Path(__file__).parents[2]
yaml = pytest.importorskip("yaml", reason="PyYAML comes with mkdocs")
tomllib = pytest.importorskip("tomllib", reason="Python 3.11 or newer")


def _yaml(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_is_the_same_everywhere(project):
    assert _yaml("CITATION.cff")["version"] == project["project"]["version"] == ramify.__version__


def test_ci_and_wheels_cover_the_same_pythons(project):
    if not (ROOT / ".github").exists():
        pytest.skip("a source distribution has no workflows")
    jobs = _yaml(".github/workflows/ci.yml")["jobs"]
    tested = {*jobs["tests"]["strategy"]["matrix"]["python"], "3.11"}
    built = {f"3.{name[3:-2]}" for name in project["tool"]["cibuildwheel"]["build"].split()}
    assert tested == built
    assert f">={min(built, key=lambda name: int(name[2:]))}" == project["project"]["requires-python"]
    wheels = _yaml(".github/workflows/wheels.yml")["jobs"]["wheels"]["strategy"]["matrix"]["runner"]
    extra = {row["runner"] for row in jobs["tests"]["strategy"]["matrix"]["include"]}
    assert extra | {"ubuntu-24.04"} == set(wheels)


def test_hooks_run_tools_of_the_development_extra(project):
    if not (ROOT / ".pre-commit-config.yaml").exists():
        pytest.skip("a source distribution may lack the hooks")
    hooks = [hook for repo in _yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    tools = " ".join(project["project"]["optional-dependencies"]["dev"])
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "mypy", "import-linter", "end-of-file"}
    assert all(name in tools for name in ("ruff", "mypy", "import-linter"))
