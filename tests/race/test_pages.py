"""The pages say what the rows say: medians, ratios, marks, ticks, failures; and the same rows draw the same picture."""

import pytest
from race_tools import failed_row, paired_row, run_row

from racing.plots import draw_plots
from racing.report import readme_table, results_page, write_readme
from racing.summary import Pairs
from racing.tables import number

ROWS = [
    *(run_row("ramify", run, factor=factor, quality=64.0) for run, factor in ((1, 0.9), (2, 1.0), (3, 1.3))),
    run_row("libpecos", factor=9.0, quality=63.0),
    run_row("omikuji", factor=20.0, quality=64.5, busy=True),
    failed_row("scikit-learn", "train: not finished after 3,600 s"),
    paired_row("ramify", "libpecos", 1.0, 0.01),
    paired_row("ramify", "omikuji", -0.5, 0.3),
]


def line(page: str, start: str, at: int = 0) -> str:
    return [one for one in page.splitlines() if one.startswith(start)][at]


def test_costs_show_median_spread_and_ratio_to_the_best_peer():
    page = results_page(ROWS, threads=2)
    assert "| 1.00 (0.900–1.30) 0.111× |" in line(page, "| ramify |")
    assert "| 9.00 |" in line(page, "| libpecos |")
    assert line(page, "| ramify |").endswith("| 3 |")


def cell(page: str, row: str, column: str) -> str:
    """A cell of the first table that has the column."""
    lines = page.splitlines()
    start = next(at for at, one in enumerate(lines) if f"| {column} |" in one and one.startswith("| system"))
    at = lines[start].split(" | ").index(column)
    return next(one for one in lines[start:] if one.startswith(f"| {row} ")).split(" | ")[at]


@pytest.mark.parametrize(
    ("column", "ramify", "libpecos", "omikuji"),
    [
        ("one scipy row p50 µs", "25.0 (22.5–32.5) 0.278×", "90.0", "–"),
        ("one doc as arrays p50 µs", "10.0 (9.00–13.0) 0.0500×", "–", "200"),
        ("open ms", "3.00 (2.70–3.90) 0.111×", "27.0", "60.0"),
        ("fast open ms", "2.00 (1.80–2.60) 0.222×", "9.00", "–"),
    ],
)
def test_calls_are_compared_like_for_like(column, ramify, libpecos, omikuji):
    page = results_page(ROWS, threads=2)
    assert [cell(page, name, column) for name in ("ramify", "libpecos", "omikuji *")] == [ramify, libpecos, omikuji]


def test_old_rows_have_the_unverified_opening_only():
    old = {name: value for name, value in run_row("ramify").items() if name != "load_unverified_ms"}
    page = results_page([old, run_row("libpecos")], threads=2)
    assert cell(page, "ramify", "open ms") == "–"
    assert cell(page, "ramify", "fast open ms").startswith("3.00")


def test_systems_without_figures_are_shown_with_the_reason():
    """Not run, over a limit, failed on another machine: in every table, in the note on marks, and at the end."""
    elsewhere = failed_row("omikuji-bonsai", "train: not finished after 600 s", machine="another, 8 cores")
    page = results_page([elsewhere, *ROWS, failed_row("napkinxc", "train: needs more than 20 GB of memory")], threads=2)
    for name, reason in (
        ("scikit-learn", "> 1 h"),
        ("napkinxc", "> 20 GB"),
        ("omikuji-bonsai", "> 600 s"),
        ("libpecos-tuned", "not run"),
    ):
        assert page.count(f"| {name} | {reason} | – |") == 3  # summary, costs, quality
        assert f"{name} ({reason})" in line(page, "No figures, so not among the peers")
        assert f"{name} ({reason})" in line(page, "| peers without figures")
    assert "- bibtex, omikuji-bonsai: train: not finished after 600 s on another, 8 cores" in page
    assert "libpecos-tuned" in line(page, "- bibtex, not run: ")
    assert "omikuji-bonsai" not in line(page, "- bibtex, not run: ")


def test_a_failure_elsewhere_that_was_made_good_or_of_other_matrices_does_not_count():
    failure = failed_row("napkinxc", "killed", machine="another")
    good = run_row("napkinxc", machine="another")
    assert "| napkinxc | not run |" in results_page([failure, good, *ROWS], threads=2)
    assert "| napkinxc | not run |" in results_page([failure | {"matrices": "old"}, *ROWS], threads=2)


def test_busy_runs_are_marked_and_failures_listed():
    page = results_page(ROWS, threads=2)
    assert line(page, "| omikuji * |")
    assert line(page, "| ramify's default").endswith("| bibtex |")
    noisy = [row | {"busy": True} if row["system"] == "libpecos" else row for row in ROWS]
    assert line(results_page(noisy, threads=2), "| ramify's default").endswith("| bibtex * |")
    assert "| libpecos * | 63.00 |" in results_page(noisy, threads=2)
    assert "- bibtex, scikit-learn: train: not finished after 3,600 s" in page


def test_bold_is_a_significant_gain_over_the_best_peer():
    assert "| 64.00 ±1.0 |" in line(results_page(ROWS, threads=2), "| ramify |", 1)
    gain = [*ROWS, paired_row("ramify", "omikuji", 0.5, 0.01)]
    assert "| **64.00** ±1.0 |" in line(results_page(gain, threads=2), "| ramify |", 1)
    loss = [*ROWS, paired_row("ramify", "omikuji", -0.5, 0.01)]
    assert "| <u>64.00</u> ±1.0 |" in line(results_page(loss, threads=2), "| ramify |", 1)


def test_requirements_are_ticked_with_their_figure():
    page = results_page(ROWS, threads=2)
    assert line(page, "| training CPU |") == "| training CPU | 1/6 | 1/10 | 1/9.00 ✓ |"
    assert "| 1/9.00 ✓✓ |" in line(page, "| model on disk |")
    assert "| 1/9.00 ✓✓ |" in line(page, "| peak memory")
    assert "| 3.00 ms ✓✓ |" in line(page, "| opening a saved model, with the checksums verified")
    assert "| 2.00 ms ✓✓ |" in line(page, "| opening a saved model, unverified")
    assert "| 1/3.60 ✗ |" in line(page, "| one scipy row")
    assert "| 1/9.00 ✓ |" in line(page, "| one document as bare arrays")
    assert "**+1.00** / **+1.00** / **+1.00** ✓" in line(page, "| default – `libpecos`")
    assert "| – |" in line(page, "| `best` ahead")


def test_gains_and_losses_are_counted_over_the_sets_that_were_compared():
    page = results_page(ROWS, threads=2)
    assert "gains 6 of 6 ✓ (target: most), significant losses 0 ✓ (target: none)." in line(page, "default – `libpecos`")
    assert "gains 0 of 0 –" in line(page, "default – `scikit-learn`")
    assert line(page, "default – `scikit-learn`").endswith("not compared: bibtex.")
    worse = [*ROWS, run_row("scikit-learn"), paired_row("ramify", "scikit-learn", -1.0, 0.01)]
    assert "gains 0 of 6 ✗ (target: most), significant losses 6 ✗" in line(
        results_page(worse, threads=2), "default – `scikit-learn`"
    )
    tuned = [*ROWS, run_row("libpecos-tuned", factor=11.0), paired_row("ramify", "libpecos-tuned", 1.0, 0.2)]
    page = results_page(tuned, threads=2)
    assert "| 1/11.0 ✓ |" in line(page, "| training CPU beside `libpecos-tuned`")
    assert "gains 0 of 6 ✗ (target: most), significant losses 0 ✓" in line(page, "default – `libpecos-tuned`")


def test_best_and_tail_are_held_against_everyone():
    best = run_row("ramify-best", quality=64.2)
    tail = run_row("ramify-tail", quality=70.0)
    page = results_page([*ROWS, best, tail], threads=2)
    assert "P@1 -0.30 (omikuji)" in line(page, "| `best` ahead")
    assert "P@1 -0.33" in line(page, "| `best` and the published Parabel")
    assert "✓; P@1, 3, 5 +6.00 / +6.00 / +6.00" in line(page, "| `tail`")


def test_growth_is_held_against_l_log_l():
    sizes = [run_row("ramify", dataset="generated-1k"), run_row("ramify", dataset="generated-10k", factor=10.0)]
    page = results_page(sizes, threads=2)
    assert "- train CPU ∝ (L·log L)^0.89 ✓" in page
    steep = [sizes[0], run_row("ramify", dataset="generated-10k", factor=100.0)]
    assert "- train CPU ∝ (L·log L)^1.78 ✗" in results_page(steep, threads=2)
    largest = [run_row("ramify", dataset="generated-1m", peak_bytes=2.1e10)]
    assert "within 20 GB in all: 21.0 GB ✗" in results_page(largest, threads=2)


def test_no_rows_no_tables():
    assert "run `make bench`" in results_page([], threads=2)
    assert "run `make bench`" in results_page(ROWS, threads=1)


def test_only_failures_make_a_page():
    assert "No system finished" in results_page([failed_row("libpecos", "killed")], threads=2)


def test_the_readme_keeps_what_is_around_the_table(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- race -->\nold\n<!-- /race -->\nafter\n")
    write_readme(readme, readme_table(ROWS, threads=2))
    text = readme.read_text()
    assert text.startswith("before\n<!-- race -->\n| data set |")
    assert text.endswith("\n\nIn each cell: ramify / libpecos / libpecos-tuned.\n<!-- /race -->\nafter\n")
    assert "old" not in text
    assert "| 64.00 / 63.00 / – |" in line(text, "| bibtex |")
    write_readme(readme, readme_table(ROWS, threads=2))
    assert readme.read_text() == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (1.0, "1.00"), (12345.6, "12,346"), (float("nan"), "–"), (0, "0")]
)
def test_numbers_keep_three_digits(value, text):
    assert number(value) == text


def test_the_same_rows_draw_the_same_picture(tmp_path):
    pytest.importorskip("matplotlib")
    drawn = [draw_plots(ROWS, 2, tmp_path / name)[0].read_bytes() for name in ("a", "b")]
    assert drawn[0] == drawn[1]
    assert b"libpecos" in drawn[0]
    assert len(drawn[0]) < 100_000


def test_a_page_over_two_machines_names_the_data_sets_of_each():
    there = [run_row("ramify", dataset="delicious", machine="another, 8 cores")]
    page = results_page([run_row("ramify"), *there], 2)
    assert "- machine: a processor, 2 cores (bibtex); another, 8 cores (delicious); 2 threads" in page


def test_comparisons_made_on_another_machine_do_not_speak():
    rows = [run_row("ramify"), run_row("libpecos"), paired_row("ramify", "libpecos", 1.0, 0.01)]
    elsewhere = paired_row("ramify", "libpecos", 2.0, 0.01) | {"machine": "another, 8 cores"}
    assert Pairs([*rows, elsewhere], 2).difference("bibtex", "ramify", "libpecos", "P@1") == (1.0, 1)
    of_documents = paired_row("ramify", "libpecos", 2.0, 0.01) | {"scheme": None}
    assert Pairs([*rows, of_documents], 2).difference("bibtex", "ramify", "libpecos", "P@1") == (1.0, 1)
