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
    assert "`predict_topk`, p50: ramify 25.0 µs" in page


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
    assert "| 3.00 ms ✓✓ |" in line(page, "| opening")
    assert "**+1.00** / **+1.00** / **+1.00** ✓" in line(page, "| default – libpecos")
    assert "3 of 6 ✗ (target: most); significant losses: 0" in page
    assert "| – |" in line(page, "| `best` ahead")


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
    assert text.endswith("|\n<!-- /race -->\nafter\n")
    assert "old" not in text
    assert "| 64.00 / 63.00 |" in line(text, "| bibtex |")
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
