"""Costs on generated labels: the data, the stages of a fine-tuning, the peaks of a whole fit."""

import numpy as np
import pytest

import transformer_costs
from racing.generated_texts import generated_texts, thin_encoder
from racing.stages import HEAD, StagePeaks
from transformer_gpu import operations

CASE = {"threads": 1, "steps": 2}


@pytest.fixture
def encoder(tmp_path):
    pytest.importorskip("torch", reason="needs the extra torch")
    pytest.importorskip("ramify.transformers.fine_tuning", reason="needs the fine-tuned encoders")
    return thin_encoder(tmp_path / "encoder")


def test_every_generated_label_has_as_many_documents():
    texts, Y = generated_texts(64, 32, 8)
    assert Y.shape == (32, 64) and len(texts) == 32
    assert set(np.unique(Y.data)) == {1.0}
    assert np.bincount(Y.indices, minlength=64).max() <= 4  # 4 of each, fewer where a document was dealt one twice
    assert len(texts[0].split()) == 8 * 4
    assert generated_texts(64, 32, 8)[0] == texts


pytestmark = pytest.mark.filterwarnings("ignore::ramify.RamifyWarning")  # texts are truncated on purpose


@pytest.mark.parametrize(
    ("system", "settings", "outputs"),
    [("x-transformer", {"max_leaf": 16}, 4), ("flat-transformer", {}, 64)],
)
def test_a_stage_has_its_time_and_its_operators(encoder, monkeypatch, system, settings, outputs):
    for name, value in (("LABELS", 64), ("DOCUMENTS", 32), ("PROFILED_STEPS", 1)):
        monkeypatch.setattr(transformer_costs, name, value)
    case = CASE | {"system": system, "settings": settings | {"encoder": encoder, "batch_size": 8}}
    (row,) = transformer_costs.step_costs(case)
    assert row["outputs"] == outputs and row["texts"] >= 16  # 2 steps of 8
    assert row["step_ms"] > 0
    assert set(row["parts"]) == {*HEAD, "rest"} and sum(row["parts"].values()) == pytest.approx(1, abs=0.01)
    assert 0 < sum(row["operators"].values()) <= 1.01


def test_each_level_is_a_stage(encoder, monkeypatch):
    for name, value in (("LABELS", 64), ("DOCUMENTS", 32), ("PROFILED_STEPS", 1)):
        monkeypatch.setattr(transformer_costs, name, value)
    settings = {"encoder": encoder, "batch_size": 8, "levels": 3, "branching": 4}
    rows = transformer_costs.step_costs(CASE | {"system": "xr-transformer", "settings": settings})
    assert [row["outputs"] for row in rows] == [4, 16, 64]


def test_stages_have_peaks_above_the_memory_before(encoder):
    (row,) = transformer_costs.peaks(CASE | {"system": "flat-transformer", "labels": 80})
    assert row["documents"] == 20 and row["outputs"] == 80
    assert {"tokens", "fine-tune", "embed"} <= set(row["stages"])
    assert row["head_bytes"] == 4 * 80 * 385


def test_memory_is_counted_for_the_stage_that_took_it():
    watch = StagePeaks()
    watch("small", 0.0)
    watch("large", 0.0)
    taken = np.ones(400_000_000, np.uint8)  # much more than what other tests may have left to be freed
    del taken
    watch("small", 0.5)
    watch.close()
    assert watch.peaks["large"] > 250e6
    assert watch.peaks["small"] - watch.peaks["start"] < 60e6


def test_operations_of_training_grow_with_the_square_of_the_tokens_in_the_attention_only():
    assert operations(100, 0, 384, 10.0) == 6_000
    assert operations(0, 6, 384, 20.0) == 4 * operations(0, 6, 384, 10.0)
