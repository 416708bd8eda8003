"""The pages of hybrid features and encoders: means, costs, differences, chosen settings; latest rows only."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
from race_tools import failed_row, paired_row, run_row

import racing.hybrid_tables
import racing.transformer_tables
from racing import transformer_plots
from racing.hybrid_sets import joined_rows
from racing.hybrid_tables import hybrid_section
from racing.transformer_plots import draw_encoders
from racing.transformer_tables import by_set, transformer_section

LONGER = {"PSP@1": 1.0, "PSP@3": 2.0, "PSP@5": 3.0}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """``page(ENCODERS=[...])`` writes rows into the files of both sections and returns their text."""

    def put(**rows):
        for module, names in (
            (racing.hybrid_tables, ("HYBRID",)),
            (racing.transformer_tables, ("ENCODERS", "ENCODER_TRIALS", "ENCODER_COSTS", "ENCODERS_GPU")),
        ):
            for name in names:
                path = tmp_path / name
                path.write_text("".join(json.dumps(row) + "\n" for row in rows.get(name, ())))
                monkeypatch.setattr(module, name, path)
        return "\n\n".join([hybrid_section(), transformer_section()])

    return put


def line(page, start):
    return next(one for one in page.splitlines() if one.startswith(start))


def test_no_rows_no_sections(page):
    assert page().strip() == ""


def test_systems_on_texts_have_means_and_costs(page):
    runs = [run_row("static", number, quality=50.0 + number, train_wall_s=60.0 * number) for number in (1, 2)]
    ensemble = run_row("best ×2", quality=70.0)
    for name in ("single_p50_us", "model_bytes"):
        del ensemble[name]  # an ensemble of kept answers has none
    found = page(
        ENCODERS=[ensemble, *runs, failed_row("frozen", "train: no luck"), *(run_row(f"static@{n}") for n in (100, 50))]
    )
    assert line(found, "| static |") == (
        "| static | 51.50 | 51.50 | 51.50 | 51.50 | 51.50 | 51.50 | 51.50 | 1.50 | 0.0167 | 0.0200 | 0.0100 | 110 | 2 |"
    )
    assert line(found, "| best ×2 |").endswith("| 0.0100 | 0.0167 | 0.0200 | – | 110 | 1 |")
    assert found.index("| static |") < found.index("| best ×2 |")  # ensembles come last
    assert "| frozen: train: no luck |" in found
    steps = [one for one in found.splitlines() if one.startswith("| bibtex | static")]
    assert [one.split(" | ")[1] for one in steps] == ["static@50", "static@100", "static"]
    assert steps[0].endswith("| 0.0100 | 0.0167 | 1 |")


def test_differences_are_of_the_present_rows(page):
    rows = [run_row("static"), run_row("xr-linear"), paired_row("static", "xr-linear", -1.5, 0.01)]
    assert "| static – xr-linear | -1.50 * | -1.50 * | -1.50 * | -1.50 * | 1 and 1 |" in page(ENCODERS=rows)
    rows += [run_row("static@5"), run_row("libpecos-xr-transformer")]
    rows.append(paired_row("static@5", "libpecos-xr-transformer", 1.0, 0.2))
    assert "| static@5 – libpecos-xr-transformer | +1.00 | +1.00 | +1.00 | +1.00 | 1 and 1 |" in page(ENCODERS=rows)
    assert "static – xr-linear" not in page(ENCODERS=[*rows, run_row("static", identity="other")])


def test_trials_are_shown_beside_the_first_settings(page):
    def trial(value, wall=120.0, **settings):
        row = {"kind": "trial", "dataset": "small", "system": "frozen", "split": 0, "train_wall_s": wall}
        return row | {
            "settings": {"system": "frozen"} | settings,
            "measures": dict.fromkeys(("P@1", "P@3", "P@5"), value),
        }

    failed = trial(0.0, steps=9) | {"failed": "killed"}
    del failed["measures"]
    found = page(ENCODER_TRIALS=[trial(50.0), trial(50.5, dense_weight=0.6), failed])
    assert "| small | frozen | defaults | 50.00 | +0.00 | 2.00 |" in found
    assert "| small | frozen | **dense_weight 0.6** | 50.50 | +0.50 | 2.00 |" in found
    assert "| small | frozen | steps 9 | killed | – | – |" in found


def test_costs_of_steps_and_memory_are_sorted_by_size(page):
    steps = {"kind": "steps", "system": "x-transformer", "parts": {"head_loss": 0.1, "update_head": 0.05}}
    steps |= {"operators": {"mm": 0.5, "addmm": 0.2, "fill_": 0.1, "gather": 0.05, "add": 0.01}}
    memory = {"kind": "memory", "system": "flat-transformer", "labels": 5000, "documents": 10, "head_bytes": 2_000_000}
    memory |= {"stages": {"tokens": 1_000_000, "fine-tune": 12_000_000}}
    rows = [steps | {"outputs": 4096, "step_ms": 9.0}, steps | {"outputs": 256, "step_ms": 3.0}, memory]
    rows.append(steps | {"outputs": 4096, "step_ms": 6.0})  # measured again
    found = page(ENCODER_COSTS=rows)
    assert line(found, "| x-transformer | 256 |").startswith("| x-transformer | 256 | 3.00 | 10.0% | 5.0% | mm 50%,")
    assert "| x-transformer | 4,096 | 6.00 | 10.0% | 5.0% | mm 50%, addmm 20%, fill_ 10%, gather 5% |" in found
    assert found.index("| 256 | 3.00") < found.index("| 4,096 | 6.00")
    assert "| flat-transformer | 5,000 | 10 | 1.00 | 12.0 (10.0) |" in found


def test_speed_on_a_gpu_is_shown_beside_the_peak_of_the_card(page):
    stage = {"outputs": 256, "texts_per_s": 1234.5, "tflops": 50.0}
    row = {"gpu": "card", "dataset": "small", "system": "xr-transformer", "stages": [stage], "peak_tflops": 500.0}
    row |= {"wall_s": 90.0, "gpu_bytes": 2e9, "measures": dict.fromkeys(("P@1", "P@3", "P@5", "PSP@5"), 40.0)}
    assert (
        "| card | small | xr-transformer | 256 | 1,234 | 50.0 | 10.0% | 1.50 | 2.00 | 40.00 | 40.00 | 40.00 | 40.00 |"
        in page(ENCODERS_GPU=[row])
    )


def test_the_chart_joins_the_runs_of_a_system_with_more_steps(tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra plot")
    rows = [run_row("static", train_wall_s=30.0), run_row("best, second")]
    rows += [run_row(f"x-transformer@{steps}", quality=50.0 + steps, train_wall_s=60.0 * steps) for steps in (2, 1)]
    assert transformer_plots._points(by_set(rows, 2)["bibtex"]) == {
        "static": [(0.5, 60.0)],
        "x-transformer": [(1.0, 51.0), (2.0, 52.0)],
    }
    drawn = [draw_encoders(rows, 2, tmp_path / name)[0].read_bytes() for name in ("a", "b")]
    assert drawn[0] == drawn[1]
    assert draw_encoders([], 2, tmp_path / "c") == []


def test_costs_of_hybrid_features_are_shown_beside_those_of_libpecos(page):
    rows = [run_row("ramify", factor=1.0, threads=1), run_row("libpecos", factor=10.0, threads=1)]
    found = page(
        HYBRID=[
            *rows,
            paired_row(
                "ramify",
                "libpecos",
                0.5,
                0.2,
            )
            | {"threads": 1},
        ]
    )
    assert line(found, "| ramify |").startswith("| ramify | 1.00 0.100× | 20.0 0.100× | 10.0 0.100× |")
    assert line(found, "| libpecos |").startswith("| libpecos | 10.0 | 200 |")
    assert "| ramify – libpecos | +0.50 | +0.50 | +0.50 | +0.50 | 1 and 1 |" in found


def test_both_blocks_of_joined_rows_have_their_weight():
    sparse = sp.csr_matrix(np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 0.0]], np.float32))
    dense = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    joined = joined_rows(sparse, dense, 0.5).toarray()
    assert joined[0] == pytest.approx(np.array([0.6, 0.8, 0.0, 0.0, 0.5]) / 1.25**0.5)
    assert joined[1] == pytest.approx([0, 0, 0, 1, 0])  # a text without a known word
