"""An encoder run by onnxruntime: exported from torch once, then used without torch, on the CPU.

Texts are run one at a time. A single text takes no longer than its share of a batch, there is no padding, and the
result does not depend on other texts: with int8 weights, onnxruntime scales activations by the largest of a batch.
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ramify.checks import Whole
from ramify.errors import InputError, MissingExtraError
from ramify.transformers.tokens import TextTokenizer, Tokens
from ramify.values import Float32, Int64

if TYPE_CHECKING:
    import torch

    from ramify.transformers.encoder import TextEncoder

EXTRA = "onnx"
OPSET = 17
CHUNK = 16
"""Texts per task of a thread."""

FEWEST = {"width": 1, "max_tokens": 1, "pad_id": 0}
"""Smallest values of the numbers in a model directory."""

TOLERANCE = {False: 0.9999, True: 0.8}
"""Smallest cosine between the vectors of the exported encoder and of torch, by whether the weights are int8."""


class OnnxEncoder:
    """An exported encoder.

    Parameters
    ----------
    graph : uint8 array
        The ONNX file: input "ids" of shape (1, t), output of shape (1, width).
    width, max_tokens : int
        As in ``TextEncoder``.

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    ValueError
        The graph cannot be read.
    """

    def __init__(self, graph: npt.NDArray[np.uint8], width: int, max_tokens: int) -> None:
        self.graph, self.width, self.max_tokens = graph, width, max_tokens
        _ = self._session  # opened here, so that a graph that cannot be read is found at once

    @cached_property
    def _session(self) -> Any:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("exported encoders", EXTRA) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(self.graph.tobytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the package raises classes of its own, derived from Exception
            raise ValueError(f"the ONNX graph cannot be read: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_session"}

    def embedded(self, tokens: Tokens, threads: int, report_progress: Callable[[float], None] | None = None) -> Float32:
        """Embeddings of texts, as by ``embedding.embedded``: shape (n, width), the same bits for any batch."""
        Z = np.zeros((len(tokens), self.width), np.float32)
        rows = np.flatnonzero(tokens.lengths > tokens.n_special)

        def embed(chunk: Int64) -> None:
            for row in chunk:
                Z[row] = self._one(tokens.ids[tokens.indptr[row] : tokens.indptr[row + 1]])

        if len(rows) <= CHUNK:
            embed(rows)
            return Z
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        pool = ThreadPoolExecutor(threads)
        try:
            for done, _ in enumerate(pool.map(embed, chunks), 1):
                if report_progress is not None:
                    report_progress(done / len(chunks))
        finally:
            pool.shutdown(cancel_futures=True)  # after an exception, chunks that have not begun are not computed
        return Z

    def _one(self, ids: Any) -> Float32:
        vector: Float32 = self._session.run(None, {"ids": ids.astype(np.int64)[None]})[0][0]
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def exported(encoder: TextEncoder, tokenizer: TextTokenizer, *, int8: bool) -> OnnxEncoder:
    """Export an encoder.

    Parameters
    ----------
    encoder : TextEncoder
        On the CPU.
    tokenizer : TextTokenizer
        For the comparison of the exported encoder with torch.
    int8 : bool
        Weights of matrices as int8, activations quantised for each text.

    Raises
    ------
    MissingExtraError
        onnx or onnxruntime is not installed.
    InputError
        The encoder cannot be exported, or the exported one gives other vectors.
    """
    try:
        import onnx  # noqa: F401 - of the exporter of torch
        import onnxruntime  # noqa: F401
    except ImportError:
        raise MissingExtraError("exported encoders", EXTRA) from None
    with _quiet():
        try:
            graph = _graph(encoder)
            graph = _quantized(graph) if int8 else graph
        except Exception as error:  # of torch.onnx and onnxruntime, which raise many classes
            reason = " ".join(str(error).split())[:150]
            raise InputError(f"the encoder cannot be exported to ONNX ({reason}): use backend torch") from None
    found = OnnxEncoder(np.frombuffer(graph, np.uint8), encoder.width, encoder.max_tokens)
    _check_equal(found, encoder, tokenizer, TOLERANCE[int8])
    return found


def _graph(encoder: TextEncoder) -> bytes:
    import torch

    class OfIds(torch.nn.Module):
        """The encoder of one text, which needs no mask."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.encoder(ids, torch.ones_like(ids))  # type: ignore[no-any-return]

    file = io.BytesIO()
    names: dict[str, Any] = {"input_names": ["ids"], "output_names": ["vectors"], "dynamic_axes": {"ids": {1: "t"}}}
    torch.onnx.export(OfIds().eval(), (torch.full((1, 5), 1),), file, **names, opset_version=OPSET, dynamo=False)  # type: ignore[arg-type]
    return file.getvalue()


def _quantized(graph: bytes) -> bytes:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        plain, quantized = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        plain.write_bytes(graph)
        quantize_dynamic(plain, quantized, weight_type=QuantType.QInt8)
        return quantized.read_bytes()


def _check_equal(found: OnnxEncoder, encoder: TextEncoder, tokenizer: TextTokenizer, least: float) -> None:
    """Raise InputError if texts of two lengths have other vectors than with torch."""
    import torch

    for n_tokens in (3, min(20, encoder.max_tokens)):
        ids = np.random.default_rng(0).integers(0, tokenizer.backend.get_vocab_size(), n_tokens)
        with torch.no_grad():
            wanted = encoder(torch.from_numpy(ids[None]), torch.ones(1, n_tokens, dtype=torch.int64))[0].numpy()
        cosine = float(found._one(ids) @ wanted / np.linalg.norm(wanted))
        if not cosine >= least:
            raise InputError(
                f"the encoder exported to ONNX gives other vectors than torch (cosine {cosine:.3f}): use backend torch"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, notes of the exporter are not shown."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def onnx_to_state(encoder: OnnxEncoder, tokenizer: TextTokenizer) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config, arrays) for a model directory."""
    config = {"width": encoder.width, "max_tokens": encoder.max_tokens, "pad_id": tokenizer.pad_id}
    return config, {"onnx": encoder.graph, "tokenizer": np.frombuffer(tokenizer.to_json().encode(), np.uint8)}


def onnx_from_state(config: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[OnnxEncoder, TextTokenizer]:
    """What ``onnx_to_state`` described; torch is not needed.

    Raises
    ------
    KeyError, TypeError, ValueError
        Settings or arrays that are missing or inconsistent; ``errors.damage_reported`` converts these.
    """
    numbers = {name: Whole(least, 2**31 - 1).check(name, config[name]) for name, least in FEWEST.items()}
    tokenizer = TextTokenizer.from_json(bytes(arrays["tokenizer"]).decode(), numbers.pop("pad_id"))
    graph = np.asarray(arrays["onnx"])
    if graph.dtype != np.uint8 or graph.ndim != 1:
        raise InputError("the ONNX graph must be a vector of bytes")
    encoder = OnnxEncoder(graph, **numbers)
    try:
        width = encoder._one(np.ones(1, np.int64)).shape
    except Exception as error:  # of onnxruntime
        raise ValueError(f"the ONNX graph cannot be run: {error}") from None
    if width != (encoder.width,):
        raise InputError(f"the ONNX graph gives vectors of shape {width}, not of {encoder.width} values")
    return encoder, tokenizer
