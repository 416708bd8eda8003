"""Encoders that are exported to ONNX."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_encoders import WIDTH, save_encoder

import ramify
from ramify import Encoder, Tagger, XRLinear
from ramify.errors import InputError, MissingExtraError, ModelFileError

TEXTS = ["river lake", "", "the old house by the river", "stone " * 90, "flame"]


BLOCKED = """
import json, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "onnx"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoders") / "bert")


def _fitted(folder, **settings):
    return Encoder(str(folder), max_tokens=16, **{"threads": 1, "backend": "onnx"} | settings).fit(TEXTS)


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "modernbert"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_exported_encoder_equals_torch(kind, pooling, tmp_path):
    path = save_encoder(tmp_path / kind, kind)
    wanted = _fitted(path, backend="torch", pooling=pooling).transform(TEXTS)
    found = _fitted(path, pooling=pooling).transform(TEXTS)
    assert np.abs(found - wanted).max() < 1e-5


def test_int8_is_near_and_smaller(folder):
    wanted, found = _fitted(folder), _fitted(folder, backend="onnx-int8")
    cosine = (wanted.transform(TEXTS) * found.transform(TEXTS)).sum(1)
    assert cosine[1] == 0 and (cosine[[0, 2, 3, 4]] > 0.9).all()
    sizes = [one.to_state()[1]["onnx"].nbytes for one in (wanted, found)]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("backend", ["onnx", "onnx-int8"])
def test_a_text_has_the_same_bits_in_any_batch(folder, backend):
    encoder = _fitted(folder, backend=backend)
    Z = encoder.transform(TEXTS * 30)
    assert Z.tobytes() == np.vstack([encoder.transform([text]) for text in TEXTS] * 30).tobytes()
    assert Z.tobytes() == _fitted(folder, backend=backend, threads=3).transform(TEXTS * 30).tobytes()
    assert encoder.transform([]).shape == (0, WIDTH)


def test_a_saved_tagger_needs_no_torch(folder, tmp_path):
    texts, labels = [*TEXTS[:3], "flame smoke"], [["a"], ["b"], ["a"], ["b"]]
    tagger = Tagger(XRLinear(threads=1), vectorizer=_fitted(folder)).fit(texts * 4, labels * 4)
    tagger.save(tmp_path / "m")
    code = BLOCKED + "import ramify; print(json.dumps(ramify.load(sys.argv[1]).tag(json.loads(sys.argv[2]), 2)))"
    arguments = [sys.executable, "-c", code, str(tmp_path / "m"), json.dumps(texts)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[list(one) for one in row] for row in tagger.tag(texts, 2)]
    assert ramify.load(tmp_path / "m").fit(texts, labels).tag(["flame"], 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda config, arrays: (config, arrays | {"onnx": np.zeros(9, np.uint8)}),
        lambda config, arrays: (config, arrays | {"onnx": np.zeros(9, np.float32)}),
        lambda config, arrays: (config, arrays | {"onnx": arrays["onnx"][:-99]}),
        lambda config, arrays: (config | {"encoder": config["encoder"] | {"width": 31}}, arrays),
        lambda config, arrays: (config | {"encoder": config["encoder"] | {"max_tokens": 0}}, arrays),
        lambda config, arrays: (config, {"onnx": arrays["onnx"]}),
    ],
)
def test_damaged_states(folder, damage):
    config, arrays = _fitted(folder).to_state()
    with pytest.raises(ModelFileError, match="the saved encoder is damaged"):
        Encoder.from_state(*damage(config, arrays))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_missing_packages(folder, monkeypatch, package):
    state = _fitted(folder).to_state()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r'pip install "ramify\[onnx\]"'):
        _fitted(folder)
    if package == "onnxruntime":
        with pytest.raises(MissingExtraError, match=r'pip install "ramify\[onnx\]"'):
            Encoder.from_state(*state)


def test_what_cannot_be_exported(folder, monkeypatch):
    from ramify.transformers import onnx_encoder

    with pytest.raises(InputError, match="backend onnx computes on the CPU"):
        _fitted(folder, device="cuda")
    with pytest.raises(InputError, match="backend is 'tensorrt'"):
        _fitted(folder, backend="tensorrt")
    monkeypatch.setattr(onnx_encoder.OnnxEncoder, "_one", lambda self, ids: np.ones(WIDTH, np.float32))
    with pytest.raises(InputError, match="gives other vectors than torch"):
        _fitted(folder)

    def fail(encoder):
        raise RuntimeError("no symbol\nfor this operator")

    monkeypatch.setattr(onnx_encoder, "_graph", fail)
    with pytest.raises(InputError, match=r"be exported to ONNX \(no symbol for this operator\): use backend"):
        _fitted(folder)
