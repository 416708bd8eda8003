"""The tables of the studies say what their rows say, the latest of each."""

import json

import pytest
from race_tools import run_row

import racing.annif_tables
import racing.chain_tables
import racing.command_line_tables
import racing.copies_tables
import racing.cost_tables
import racing.decision_tables
import racing.floor_tables
import racing.fusion_tables
import racing.generation_tables
import racing.hybrid_tables
import racing.indexer_tables
import racing.language_tables
import racing.scale_tables
import racing.serving_tables
import racing.studies
import racing.transformer_tables
import racing.tune_tables
import racing.tuning_tables
from racing.chain_tables import FIXED, MEASURES, SETS
from racing.copies_tables import SIX
from racing.studies import ZERO, study_sections

PLACES = {
    "COMMAND_LINE": racing.command_line_tables,
    "DISENTANGLE": racing.copies_tables,
    "ZERO_SHOT": racing.studies,
    "MAIN_JOB": racing.studies,
    "CHAINS": racing.chain_tables,
    "IDEAS": racing.chain_tables,
    "DECISIONS": racing.decision_tables,
    "FLOORS": racing.floor_tables,
    "COST_ROWS": racing.cost_tables,
    "INDEXERS": racing.indexer_tables,
    "TUNE": racing.tune_tables,
    "GENERATION": racing.generation_tables,
    "TUNING": racing.tuning_tables,
    "LANGUAGES": racing.language_tables,
    "ROWS": racing.floor_tables,
    "HYBRID": racing.hybrid_tables,
    "ENCODERS": racing.transformer_tables,
    "ENCODER_TRIALS": racing.transformer_tables,
    "ENCODER_COSTS": racing.transformer_tables,
    "ENCODERS_GPU": racing.transformer_tables,
    "SERVING": racing.serving_tables,
    "FUSION": racing.annif_tables,
    "SCALE": racing.scale_tables,
    "FUSION_ROWS": racing.fusion_tables,
}


SETUP = {"dataset": "toy", "settings": {}, "folds": 3, "positives": "all", "warm_start": False, "threads": 1}
SETUP |= {"matrices": "a", "costs": [0.5, 0.5, 0.5]}


def _system(copies, beam=10, merge="max", trees=1):
    fixed = {"trees": trees, "path_weight": 0.25, "weighting": "count"}
    return fixed | {"copies": copies, "beam": beam, "merge": merge}


def _copies(system, seed, value, us=10.0, **rest):
    costs = {"first_cpu_s": 2.0, "batch_cpu_us": us, "leaves": 5000, "measures": dict.fromkeys(SIX, value)}
    return SETUP | costs | system | {"kind": "copies", "seed": seed} | rest


def _difference(own, peer, value):
    values = {name: [value, 0.0, 0.0, 0.01 if name == "P@1" else 0.3] for name in SIX}
    return SETUP | own | {"kind": "compared", "peer": peer, "seeds": [0], "differences": values}


def _merged_labels(positives, smaller, **splits):
    return SETUP | {"kind": "senses", "positives": positives, "seed": 0, "smaller": smaller} | splits


AGAIN = {"reassign_cpu_s": 1.0, "again_cpu_s": 3.0, "recall_after": 0.5}
ROWS = [
    _copies(_system(0), 0, 99.0, matrices="old"),  # of other matrices than the last row
    _copies(_system(1), 0, 10.0, **AGAIN),
    _copies(_system(1), 0, 40.0, **AGAIN),  # measured again
    _copies(_system(1), 1, 42.0, **AGAIN | {"again_cpu_s": 5.0, "recall_after": 0.7}),
    *(_copies(_system(1, beam), 0, 41.0, us) for beam, us in ((20, 15.0), (40, 19.0), (80, 30.0))),
    _copies(_system(2, merge="sum"), 0, 43.0, us=20.0, **AGAIN),
    *(
        _difference(_system(2, merge="sum"), _system(1, beam), value)
        for beam, value in ((10, 2.0), (20, 7), (40, -1), (80, 8))
    ),
    _merged_labels("company", [12, 60], copies=[[0.5, 0.25, 0.9], [1, 0, 0.5]], random=[[1.5, 0, 0.5]] * 2)
    | {"none": [[1.0, 0.0, 0.5], [0.75, 0.0, 0.8]]},
]
NAMED = [
    {"kind": "test", "dataset": "toy", "way": "mixed", "seed": 0, "beam": 20, "share": 0.2, "train_cpu_s": 3.0}
    | {"batch_cpu_us": 7.0, "measures": {name: [12.34, 0, 0] for name in ZERO}}
]


def _chain(system, seed, value, sources="new", **more):
    row = {"kind": "system", "dataset": "toy", "matrices": "m", "system": system, "seed": seed, "sources": sources}
    row |= dict.fromkeys(MEASURES, value) | {"minutes": 1.5, "sets": dict.fromkeys(SETS, value / 2)}
    return row | more


def _against(second, value, p):
    row = {"kind": "comparison", "dataset": "toy", "matrices": "m", "a": "composite", "b": second, "seeds": [0, 1]}
    return row | {"differences": {name: [value, value - 1, value + 1, p] for name in MEASURES}}


CHAINS = [
    {"dataset": "toy", "system": "random", "seed": 5} | dict.fromkeys(MEASURES, 98.0),  # a former row without kind
    _chain("random", 2, 99.0, sources="old"),
    *(_chain(system, seed, 40.0 + seed) for system in FIXED for seed in (0, 1)),
    _chain("composite", 0, 44.0),
    _chain("resequenced", 0, 44.0, **{"own sets": {"micro F1": 12.5}}),
    _against("random ×2", 3.0, 0.01),
    _against("random ×2", 0.5, 0.2),  # measured again
    _against("rare-first ×2", -0.25, 0.04),
]
IDEAS = [{"dataset": "toy", "idea": "x", "seed": seed} | dict.fromkeys(MEASURES, 30.0 + seed) for seed in (0, 1, 1)]
FLOORS = [{"dataset": "toy", "ghz": 2.0, "lookups": 200, "additions": 1800, "groups_per_pass": 4e6}]


@pytest.fixture
def write(tmp_path, monkeypatch):
    def put(**rows):
        for name, module in PLACES.items():
            path = tmp_path / name
            path.write_text("".join(json.dumps(row) + "\n" for row in rows.get(name, ())))
            monkeypatch.setattr(module, name, path)
        return study_sections(2)

    return put


@pytest.fixture
def page(write):
    return write(DISENTANGLE=ROWS, ZERO_SHOT=NAMED, CHAINS=CHAINS, IDEAS=IDEAS, FLOORS=FLOORS)


def test_means_over_seeds_of_the_rows_measured_last(page):
    assert "| λ = 1 by count | 10 | 41.00 ±1.41 |" in page
    assert "| 7.00 | 10.0 | 5,000 | 60.0 | 2 |" in page
    assert "99.00" not in page


def test_copies_are_compared_with_the_widest_beam_of_no_higher_cost(page):
    lines = [line for line in page.splitlines() if line.startswith("| λ = 2 by count, sum, beam 10 |")]
    assert lines == [
        "| λ = 2 by count, sum, beam 10 | λ = 1 by count, beam 40 | <u>-1.00</u> |"
        " -1.00 |" + " -1.00 |" * 4 + " 20.0 | 19.0 |"
    ]


def test_senses_are_compared_with_no_split_by_the_size_of_the_smaller(page):
    assert "| toy | company | all | copies | 0.750 ±0.250 | 0.125 ±0.125 | 70.0 ±20.0 | 50% | 2 | 1 |" in page
    assert "| toy | company | 10 to 19 | none | 1.000 ±0.000 | 0.000 ±0.000 | 50.0 ±0.0 | – | 1 | 1 |" in page
    assert "20 to 49" not in page


def test_names(page):
    assert "| toy | mixed | 20 | 0.2 | 12.3 |" in page


def test_chains_of_the_same_sources_and_their_differences(page):
    assert "| random | 40.50 ±0.71 |" in page
    assert "98.00" not in page and "99.00" not in page
    assert "| 22.00 | 22.00 | 22.00 | 12.50 | 1.5 | 1 |" in page  # three thresholded measures, then that of STOP
    assert "| composite – random ×2 | +0.50 |" in page
    assert "| composite – rare-first ×2 | -0.25 * |" in page
    assert "| toy | x | 30.50 | 30.50 | 30.50 | 30.50 | 30.50 | 30.50 | 2 |" in page


def test_floors_are_cycles(page):
    assert "| toy | 200 | 1,800 | 1.00 | – | – | 4.00 | 0.00200 | – | – |" in page


def test_whole_runs_show_the_latest_row(write):
    run = {
        "documents": 1000,
        "labels": 50,
        "wall_seconds": 2.0,
        "cpu_seconds": 3.0,
        "peak_memory_bytes": 4e8,
        "bytes": 5e6,
    }
    rows = [
        {"dataset": "toy", "commit": "old", "run": run | {"wall_seconds": 9.0}},
        {"dataset": "toy", "commit": "new"},
    ]
    page = write(MAIN_JOB=[rows[0], rows[1] | {"run": run}])
    assert "| toy | 1,000 | 50 | 2.00 | 3.00 | 400 | 5.00 | new |" in page
    assert "9.00" not in page


def _tree_row(indexer, shape, run, value):
    measures = dict.fromkeys(("P@1", "P@3", "P@5", "PSP@5"), value)
    row = {"dataset": "toy", "model": "xr-linear", "indexer": indexer, "branching": shape[0], "max_leaf": shape[1]}
    sizes = {"clusters": 2000, "largest_cluster": 90}
    return row | sizes | {"run": run, "measures": measures, "index_cpu_s": 1, "train_cpu_s": 2, "batch_cpu_us": 3}


def test_label_trees_are_compared_run_by_run(write):
    """Paired: the spread of the runs, ten times the difference, does not count; a run without baseline is left out."""
    rows = [_tree_row("balanced", (64, 100), run, 10.0 * run) for run in range(3)]
    rows += [_tree_row("random", (16, 32), run, 10.0 * run - 1 - 0.01 * run) for run in range(4)]
    rows += [_tree_row("neighbours", (64, 64), run, 0.0) for run in (0, 2, 2)]
    page = write(INDEXERS=rows)
    assert "| balanced | 64/100 | 10.00 | 10.00 |" in page
    assert "| random | 16/32 | <u>-1.01</u> ±0.01 |" in page
    assert "| neighbours | 64/64 | -10.00 ±10.00 |" in page
    assert page.index("| neighbours |") < page.index("| random |")


def test_no_rows_no_sections(write):
    assert write() == ""


def test_the_command_line_beside_the_race(tmp_path, monkeypatch):
    measures = dict.fromkeys(SIX, 0.5)
    row = {"dataset": "bibtex", "preset": "default", "seed": 0, "sources": "old", "measures_of_all": {"P@1": 0.4}}
    row |= {"measures": measures, "test_documents": 1000, "unseen_documents": 100}
    rows = [row, row | {"sources": "new", "measures": dict.fromkeys(SIX, 0.61)}]  # other sources do not count
    rows += [row | {"sources": "new", "seed": 1, "measures": dict.fromkeys(SIX, 0.63)}]
    for name, content in (("COMMAND_LINE", rows), ("ROWS", [run_row("ramify", quality=60.0)])):
        (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in content))
        monkeypatch.setattr(racing.command_line_tables, name, tmp_path / name)
    section = racing.command_line_tables.command_line_section(2)
    assert "| bibtex | default | 62.00 (+2.00) |" in section
    assert "| 100 of 1,000 | 40.00 | 2 |" in section
    assert "(100 of 1,000 of bibtex)" in racing.command_line_tables.left_out_line()
