"""The stub ``_native.pyi`` is what nanobind writes for the compiled module, and its arrays have element types.

After a change of cpp/bindings*.cpp: ``python -m nanobind.stubgen -m ramify._native -o src/ramify/_native.pyi``
"""

import ast
import re
from pathlib import Path

import pytest

from ramify import _native

STUB = Path(__file__).parents[2] / "src" / "ramify" / "_native.pyi"
stubgen = pytest.importorskip("nanobind.stubgen", reason="nanobind is not installed")


def _written():
    generator = stubgen.StubGen(_native, quiet=True)
    generator.put(_native)
    return generator.get()


def test_the_stub_is_that_of_the_module():
    assert ast.dump(ast.parse(_written())) == ast.dump(ast.parse(STUB.read_text())), __doc__


def test_every_argument_of_the_module_has_a_name_and_a_type():
    text = STUB.read_text()
    assert "arg0" not in text
    assert not re.search(r"\b(object|Any|NDArray\[Any\]|__getattr__)\b", text)
    assert "NDArray[numpy.float32]" in text and "writable=False" in text
