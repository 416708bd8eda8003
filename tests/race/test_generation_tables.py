"""The section of label generation: means over seeds, present identities, counts of comparisons, judged proposals."""

import json

import pytest

pytest.importorskip("race_tools")
import race_tools  # noqa: F401 - makes the benchmarks importable

from racing import generation_extras, generation_tables
from racing.generation_tables import generation_section

SETS = ("micro F1", "macro F1", "1-shot F1", "0-shot F1")
COSTS = {"weights": 28e6, "model_bytes": 1.1e8, "train_wall_s": 600.0, "peak_bytes": 2e9, "tests": 400}
COSTS |= {"answered": 400, "answer_wall_s": 40.0, "greedy": 400, "greedy_wall_s": 8.0, "busy": False}


def run(system, value, *, share=0.0, seed=0, kinds=("own", "micro threshold"), **changes):
    sets = {kind: dict.fromkeys(SETS, value - place) | {"labels": 3.0} for place, kind in enumerate(kinds)}
    row = {"kind": "run", "dataset": "toy", "matrices": "m", "machine": "a", "threads": 2, "system": system}
    row |= {"identity": f"{system} id", "share": share, "seed": seed, "run": seed + 1, "sets": sets}
    return row | {"measures": {"P@1": value, "P@3": value, "P@5": value}} | COSTS | changes


def pair(system, peer, value, p=0.01, **changes):
    row = {"kind": "paired", "dataset": "toy", "system": system, "peer": peer, "share": 0.0, "seeds": [0, 1]}
    row |= {"identity": f"{system} id", "peer_identity": f"{peer} id"}
    return row | {"differences": {"P@1": [value, 0, 0, p], "micro F1": [-value, 0, 0, 0.5]}} | changes


def joined(system, value):
    return run(system, value, kinds=("micro threshold",), kind="joined", combine="rank", weight=0.3)


DOCUMENT = {
    "text": "A  book / Someone",
    "true": ["Books"],
    "labels": [["Books", 0.9]],
    "proposals": [["Bookish", 0.25]],
}
ROWS = [
    run("xlgen-base", 90.0, identity="old"),
    run("xlgen-base", 40.0),
    run("xlgen-base", 42.0, seed=1, settings={"system": "xlgen-base", "epochs": 8}),
    run("xlgen-base", 30.0, share=0.5),
    run("xlgen-mcg", 44.0, kinds=("own", "upper")),
    run("xlgen-mcg", 29.0, share=0.5),
    {key: value for key, value in run("xr-linear", 50.0, kinds=("micro threshold",), busy=True).items()
     if not key.startswith("greedy")},
    run("xr-linear", 20.0, share=0.5, kinds=("micro threshold",)),
    run("best", 51.0, kinds=("micro threshold",)),
    {key: value for key, value in run("xlgen-bcl", 0.0, failed="train: killed").items() if key not in ("sets",)},
    pair("xlgen-mcg", "xlgen-base", 3.0),
    pair("xlgen-mcg", "xlgen-base", 9.0, identity="old"),
    joined("best + best, second", 52.0),
    joined("best + xlgen-mcg", 53.0),
    pair("best + xlgen-mcg", "best + best, second", 1.0),
    {"kind": "trie", "dataset": "toy", "labels": 42131, "different": 42000, "output_tokens": 9000, "nodes": 99999,
     "tokens": {"mean": 7.5, "p99": 19.0, "longest": 40}, "build_s": 0.05, "trie_bytes": 2e6, "build_peak_bytes": 9e6},
    {"kind": "proposals", "dataset": "toy", "system": "xlgen-base", "documents": [DOCUMENT]},
    run("xlgen-base", 33.0, kind="trial", settings={"system": "xlgen-base", "epochs": 40}),
]  # fmt: skip


@pytest.fixture
def section(tmp_path, monkeypatch):
    """``section(*rows, judgement=...)``."""

    def made(*rows, judgement=""):
        path, judged = tmp_path / "rows.jsonl", tmp_path / "judged.json"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        judged.write_text(json.dumps([{"text": DOCUMENT["text"], "proposal": "Bookish", "judgement": judgement}]))
        monkeypatch.setattr(generation_tables, "GENERATION", path)
        monkeypatch.setattr(generation_tables, "judgements", lambda: generation_extras.judgements(judged))
        return generation_section()

    return made


def test_no_rows_no_section(section):
    assert section() == ""


def test_means_over_the_seeds_of_the_present_identity(section):
    found = section(*ROWS)
    numbers = " | ".join(["41.00"] * 4)
    assert f"| xlgen-base | 0% | own sets | {numbers} | 3.00 | 41.00 | 41.00 | 41.00 | 2 |" in found
    assert "| xlgen-base | 0% | micro threshold | 40.00 | 40.00 | 40.00 | 40.00 | 3.00 |  |  |  | 2 |" in found
    assert "| xlgen-base | 50% | own sets | 30.00 |" in found
    assert "| xlgen-mcg | 0% | true clusters | 43.00 |" in found
    assert "90.00" not in found
    assert "xlgen-bcl, 0% hidden: train: killed." in found
    assert "Settings of the generators: epochs 8." in found


def test_costs_with_all_labels(section):
    found = section(*ROWS)
    assert "| xlgen-base | 28.0 | 110 | 10.0 | 10.0 | 50.0 | 2,000 | 400 |" in found
    assert "| xr-linear * | 28.0 | 110 | 10.0 | 10.0 | – | 2,000 | 400 |" in found


def test_differences_losses_and_counts(section):
    found = section(*ROWS)
    assert "| xlgen-mcg – xlgen-base | 0% | -3.00 | – | – | – | +3.00 * | – | – | 2 |" in found
    assert "+9.00" not in found
    assert "xlgen-base 11.00, xlgen-mcg 15.00, xr-linear 30.00." in found
    assert "in 2 of 2 overall comparisons" in found and "in 2 of 2 on the tail" in found  # all labels
    assert "in 0 of 2 overall comparisons" in found and "in 0 of 2 on the tail" in found  # half of them hidden


def test_a_small_difference_is_a_match_and_no_win(section):
    found = section(run("xlgen-base", 40.0), run("xlgen-mcg", 39.96), run("xlgen-bcl", 39.9))
    assert "in 2 of 2 overall comparisons" in found and "in 0 of 2 on the tail" in found
    assert "in 0 of 2 on the tail" in section(run("xlgen-base", 40.0), run("xlgen-mcg", 40.04))


def test_the_text_states_the_limits_of_the_comparison(section):
    found = " ".join(section(*ROWS).split())
    assert "the 100 best labels above one threshold" in found
    assert "XLGen and XRTransformer hold out up to 256 of their training texts for early stopping." in found


def test_ensembles_beside_the_control(section):
    found = section(*ROWS)
    assert "| best | 0% | – | 51.00 |" in found
    assert "| best + best, second | 0% | rank 0.3 | 52.00 |" in found
    assert "| best + xlgen-mcg | 0% | rank 0.3 | 53.00 (-1.00) | 53.00 (–) |" in found
    assert "| 53.00 (+1.00 *) |" in found


def test_settings_and_trie(section):
    found = section(*ROWS)
    assert "| toy | xlgen-base | epochs 40 | own sets | 33.00 |" in found
    assert "| toy | xlgen-base | epochs 40 | micro threshold | 32.00 |" in found
    assert "the threshold for each half is fitted on the other half" in " ".join(found.split())
    assert "| toy | 42,131 | 42,000 | 9,000 | 7.5 / 19 / 40 | 99,999 | 50.0 | 2.00 | 9.00 |" in found


def test_proposals_have_their_judgements(section):
    found = section(*ROWS)
    assert "toy, xlgen-base: 1 proposals of 1 documents; 1 not judged." in found
    assert "- A book / Someone\n  - true: Books\n  - generated: Books 0.90\n" in found
    assert "  - proposals: `Bookish` 0.25 (not judged)" in found
    judged = section(*ROWS, judgement="near")
    assert "1 near." in judged and "`Bookish` 0.25 (near)" in judged
