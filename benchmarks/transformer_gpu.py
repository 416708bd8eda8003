"""Fine-tuning on one GPU: whole training sets, bfloat16, texts per second beside the card's matrix peak.

    python benchmarks/transformer_gpu.py                      # under 10 minutes on an H100 with 16 cores
    python benchmarks/transformer_gpu.py --minutes 3 --sets gutenberg-lcsh --out rows.jsonl

Trains XR-Transformer on all training documents of gutenberg-lcsh and crs-bills-104-110, ranks the test documents
and adds a row to ``results/transformers-gpu.jsonl`` (``--out``). A set that would begin after ``--minutes`` is left
out, with a message. Needs the packages of the extra "torch" and a build of torch for the GPU. ``--device cpu
--documents 500 --steps 3`` tries the script without a GPU; its row is not kept.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from contestants.taggers import TAGGERS
from racing.machine import machine
from racing.places import DATA
from racing.rows import Row, add_stamped
from racing.stages import measured_stages
from racing.text_sets import prepare_texts, texts_of
from racing.transformer_tables import ENCODERS_GPU
from racing.trials import measures_of

SETS = ("gutenberg-lcsh", "crs-bills-104-110")
PRODUCT = 8_192
"""Rows and columns of the matrices whose product is the card's peak."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--system", default="xr-transformer", choices=list(TAGGERS))
    parser.add_argument("--steps", type=int, default=1_000, help="of the finest level")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=None, help="of the linear solver; all by default")
    parser.add_argument("--documents", type=int, help="a sample of the training documents")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--minutes", type=float, default=6, help="no set begins after these")
    parser.add_argument("--settings", type=json.loads, default={}, help="further settings as a JSON object")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=ENCODERS_GPU)
    chosen = parser.parse_args()
    begun = time.monotonic()
    peak = matrix_peak(chosen.device)
    print(f"{device_name(chosen.device)}: {peak:.1f} TFLOP/s in bfloat16", flush=True)
    for name in chosen.sets:
        if time.monotonic() - begun > 60 * chosen.minutes:
            print(f"{name}: left out, since {chosen.minutes:g} minutes have passed")
            continue
        row = trained(name, chosen) | {"peak_tflops": round(peak, 1)}
        print(json.dumps(add_stamped(chosen.out, row) if chosen.device == "cuda" else row), flush=True)


def device_name(device: str) -> str:
    """Name of the GPU, or of the processor."""
    import torch

    return str(torch.cuda.get_device_name()) if device == "cuda" else machine()


def matrix_peak(device: str, repeats: int = 10) -> float:
    """TFLOP/s of the product of two random bfloat16 matrices; the best of the repeats."""
    import torch

    size = PRODUCT if device == "cuda" else PRODUCT // 16
    a, b = (torch.randn(size, size, device=device).to(torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        float((a @ b)[0, 0])  # waits for the GPU
        seconds.append(time.perf_counter() - begun)
    return 2 * size**3 / min(seconds[1:]) / 1e12


def trained(name: str, chosen: argparse.Namespace) -> Row:
    """Train and answer; the row."""
    amount = f":{chosen.documents}" if chosen.documents else ""
    matrices = prepare_texts(name + amount, chosen.data)
    settings = {"device": chosen.device, "steps": chosen.steps, "batch_size": chosen.batch_size} | chosen.settings
    tagger = TAGGERS[chosen.system](0, chosen.threads, settings)
    memory = gpu_memory(chosen.device)
    begun = time.perf_counter()
    with measured_stages() as stages:
        tagger.fit(texts_of(matrices, "train"), matrices.Y)
    wall = time.perf_counter() - begun
    begun = time.perf_counter()
    top = tagger.predict_topk(texts_of(matrices, "test"), 10)
    asked = time.perf_counter() - begun
    weights, layers, width = encoder_size(tagger.model_)
    for stage in stages:
        texts = stage["steps"] * chosen.batch_size / stage["seconds"]
        stage |= {"texts_per_s": round(texts, 1), "seconds": round(stage["seconds"], 2)}
        stage["tflops"] = round(texts * operations(weights, layers, width, stage["tokens"]) / 1e12, 3)
    row = {"dataset": matrices.dataset, "matrices": matrices.fingerprint, "system": chosen.system}
    row |= {"gpu": device_name(chosen.device), "machine": machine(), "settings": settings, "shape": matrices.shape}
    row |= {"wall_s": round(wall, 1), "predict_ms": round(1e3 * asked / len(top.labels), 3), "stages": stages}
    return row | {"gpu_bytes": gpu_memory(chosen.device, memory), "measures": measures_of(matrices.folder, top)}


def gpu_memory(device: str, before: int | None = None) -> int:
    """Largest memory that torch has taken; without ``before``, it is counted from here on."""
    import torch

    if device != "cuda":
        return 0
    if before is None:
        torch.cuda.reset_peak_memory_stats()
    return int(torch.cuda.max_memory_allocated())


def encoder_size(model: Any) -> tuple[int, int, int]:
    """Weights without the embeddings of the tokens, layers and width of a fitted encoder."""
    config = model.encoder_config_["hugging_face"]
    arrays = model.encoder_arrays_
    weights = sum(int(np.prod(array.shape)) for name, array in arrays.items() if ".layer." in name)
    return weights, int(config["num_hidden_layers"]), int(config["hidden_size"])


def operations(weights: int, layers: int, width: int, tokens: float) -> float:
    """Floating-point operations of training on a text: 6 per weight and token, 12 per layer, width and token pair."""
    return 6 * weights * tokens + 12 * layers * width * tokens**2


if __name__ == "__main__":
    main()
