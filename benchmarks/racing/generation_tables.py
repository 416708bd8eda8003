"""The tables of label generation: label sets and rankings, costs, differences, ensembles, the trie, proposals."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from racing.generation_extras import JUDGEMENTS, MOST, judgements
from racing.generation_join import CONTROL, FIRST, ensemble_name
from racing.generation_measures import KINDS, OWN, RANKED, SET_MEASURES
from racing.places import HERE
from racing.rows import Row, counted, current, read_rows
from racing.tables import markdown, number

GENERATION = HERE / "results" / "xlgen.jsonl"
BASE, GUIDED = "xlgen-base", ("xlgen-bcl", "xlgen-mcg")
OVERALL, TAIL = ("micro F1", "macro F1"), ("1-shot F1", "0-shot F1")
EQUAL = 0.05
"""Percentage points: a smaller difference counts as a match."""
SHOWN_CHARACTERS = 200
"""Of the text of a document with proposals."""
COLUMNS = (*SET_MEASURES, *RANKED)
SHOWN_SETS = {OWN: "own sets", "upper": "true clusters"}
TEXT = """\
`python benchmarks/generation.py run`. Labels: all names of the training and test files. `own sets`: the most probable
sequence of a generator; `micro threshold`, `macro threshold`: the 100 best labels above one threshold, which has the
largest micro or macro F1 on a fifth of the training documents; every model is trained on the other four fifths only; no
system is given the number of true labels. XLGen and XRTransformer hold out up to 256 of their training texts
for early stopping. `true clusters`: own sets with the clusters of the true labels, an upper bound of the guidance.
1-shot and 0-shot F1: micro F1 over the labels with exactly one and with no training document, counted after hiding.
Hidden: share of the labels of each training document that is removed, also of the held-out ones; the test labels are
untouched. In percent, means over the seeds; `labels` per document."""
COSTS_TEXT = """\
Costs with all labels, medians over the seeds, on the CPU: millions of weights, minutes of training by the clock (four
fifths of the training documents), documents per second from texts with the beam of the model and with beam 1, without
loading the model. * at a name: other programs ran on the machine."""
PAIRS = """\
Differences of own sets and rankings in percentage points, * where p < 0.05 (bootstrap over test documents and seeds,
paired)."""
JOINED_TEXT = """\
`python benchmarks/generation.py join`. Weighted ensembles of the preset `best` with a second member; rule of merging
and weight are those with the largest mean of P@1, P@3 and P@5 on the held-out fifth. Label sets have the threshold for
micro F1. The control has the same preset with another seed as second member. Differences to the control in percentage
points, * where p < 0.05."""
TRIE_TEXT = """\
`python benchmarks/generation.py trie`. The prefix trie of all label names in sub-words of MiniLM: median time of
building from the tokens, memory of its arrays, and largest memory while it is built."""
PROPOSALS_TEXT = """\
`python benchmarks/generation.py proposals`. The best {most} strings per document that open decoding generates for
20 test documents and that are no label name, with their scores. Judgements, by hand in `results/xlgen-judged.json`:
{words}."""
TUNED_TEXT = """\
`python benchmarks/generation.py tune`: held-out fifth of the training documents, in percent, all systems alike: means
of the measures of its two halves. `own sets`: the most probable sequence of a generator, without a threshold. `micro
threshold`, `macro threshold`: the threshold for each half is fitted on the other half."""

Runs = dict[str, dict[float, list[Row]]]
"""System -> hidden share -> runs."""


def generation_section(threads: int = 2) -> str:
    """The section of ``RESULTS.md``; empty without rows."""
    rows = read_rows(GENERATION)
    if not rows:
        return ""
    found = by_set(rows, threads)
    parts = ["## Label generation"]
    parts += [TEXT, COSTS_TEXT, PAIRS] if found else []
    for dataset, systems in found.items():
        parts += [f"### {dataset}", *_settings(systems), _quality(systems), *_failures(systems), *_costs(systems)]
        parts += _differences(rows, systems, dataset) + _losses(systems)
    parts += _counts(found)
    parts += _joined(rows, threads) + _trials(rows) + _trie(rows) + _proposals(rows)
    return "\n\n".join(parts)


def by_set(rows: Sequence[Row], threads: int, kind: str = "run") -> dict[str, Runs]:
    """Data set -> system -> hidden share -> the last row of each seed."""
    found: dict[str, dict[str, dict[float, dict[int, Row]]]] = {}
    for row in current(rows, kind, threads=threads):
        shares = found.setdefault(row["dataset"], {}).setdefault(row["system"], {})
        shares.setdefault(row["share"], {})[row["seed"]] = row
    return {
        dataset: {
            name: {share: list(runs.values()) for share, runs in sorted(shares.items())}
            for name, shares in systems.items()
        }
        for dataset, systems in found.items()
    }


def mean_of(runs: Iterable[Row], kind: str, measure: str) -> float | None:
    """Mean of a measure of the rankings, or of one kind of label sets; None where a run lacks it."""
    parts = [row["measures"] if measure in RANKED else row["sets"].get(kind, {}) for row in runs]
    values = [part.get(measure) for part in parts]
    return None if not values or None in values else float(statistics.mean(v for v in values if v is not None))


def _good(runs: Iterable[Row]) -> list[Row]:
    return [row for row in runs if not row.get("failed")]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _settings(systems: Runs) -> list[str]:
    """A sentence with the settings of the base variant that are no defaults."""
    found: Row = {}
    for row in (row for runs in systems.get(BASE, {}).values() for row in runs):
        found = row.get("settings", found)
    own = ", ".join(f"{name} {value}" for name, value in found.items() if name != "system")
    return [f"Settings of the generators: {own}."] if own else []


def _quality(systems: Runs) -> str:
    lines = []
    for name, shares in systems.items():
        for share, every in shares.items():
            runs = _good(every)
            kinds = [kind for kind in KINDS if runs and kind in runs[0]["sets"]]
            for place, kind in enumerate(kinds):
                cells = [_cell(mean_of(runs, kind, measure)) for measure in (*SET_MEASURES, "labels")]
                ranked = [_cell(mean_of(runs, kind, measure)) if place == 0 else "" for measure in RANKED]
                lines.append([name, f"{share:.0%}", SHOWN_SETS.get(kind, kind), *cells, *ranked, str(len(runs))])
    return markdown(("system", "hidden", "label sets", *SET_MEASURES, "labels", *RANKED, "seeds"), lines)


def _failures(systems: Runs) -> list[str]:
    """A line for each system and share without a finished run."""
    return [
        f"{name}, {share:.0%} hidden: {runs[-1]['failed']}."
        for name, shares in systems.items()
        for share, runs in shares.items()
        if not _good(runs)
    ]


def _costs(systems: Runs) -> list[str]:
    lines = []
    for name, shares in systems.items():
        runs, busy = counted(shares.get(0.0, []))
        if not runs:
            continue
        speeds = [
            [row[count] / row[seconds] for row in runs if seconds in row]
            for count, seconds in (("answered", "answer_wall_s"), ("greedy", "greedy_wall_s"))
        ]
        figures = [[row["weights"] / 1e6 for row in runs], [row["model_bytes"] / 1e6 for row in runs]]
        figures += [[row["train_wall_s"] / 60 for row in runs], *speeds, [row["peak_bytes"] / 1e6 for row in runs]]
        cells = [number(statistics.median(values)) if values else "–" for values in figures]
        lines.append([f"{name}{' *' if busy else ''}", *cells, f"{runs[0]['tests']:,}"])
    header = ("system", "M weights", "model MB", "minutes", "documents/s", "greedy/s", "peak MB", "test documents")
    return [markdown(header, lines)] if lines else []


def _pairs(rows: Iterable[Row], systems: Runs, dataset: str, peer: str) -> dict[tuple[str, float], Row]:
    """The last differences to a peer between present identities: (system, hidden share) -> row."""
    present = {name: list(shares.values())[-1][-1]["identity"] for name, shares in systems.items()}
    chosen = [row for row in rows if row["kind"] == "paired" and (row["dataset"], row["peer"]) == (dataset, peer)]
    found = {}
    for row in chosen:
        same = [present.get(row[name]) == row[key] for name, key in (("system", "identity"), ("peer", "peer_identity"))]
        if all(same):
            found[row["system"], row["share"]] = row
    return found


def _differences(rows: Sequence[Row], systems: Runs, dataset: str) -> list[str]:
    lines = [
        [
            f"{name} – {BASE}",
            f"{share:.0%}",
            *(_difference(row, measure) for measure in COLUMNS),
            str(len(row["seeds"])),
        ]
        for (name, share), row in _pairs(rows, systems, dataset, BASE).items()
    ]
    return [markdown(("difference", "hidden", *COLUMNS, "seeds"), lines)] if lines else []


def _difference(row: Row, measure: str) -> str:
    if measure not in row["differences"]:
        return "–"
    value, _low, _high, p = row["differences"][measure]
    return f"{value:+.2f}{' *' if p < 0.05 else ''}"


def _kind(runs: Sequence[Row]) -> str:
    """The label sets by which a system is compared: its own ones, or those of the threshold for micro F1."""
    return OWN if runs and OWN in runs[0]["sets"] else "micro threshold"


def _losses(systems: Runs) -> list[str]:
    """A sentence on the micro F1 that each system loses by hidden labels, for each share; the smallest loss first."""
    found: dict[float, list[tuple[float, str]]] = {}
    for name, shares in systems.items():
        whole = _good(shares.get(0.0, []))
        for share, every in shares.items():
            runs = _good(every)
            ends = [mean_of(part, _kind(whole), "micro F1") for part in (whole, runs)]
            if share and ends[0] is not None and ends[1] is not None:
                found.setdefault(share, []).append((ends[0] - ends[1], name))
    return [
        f"Micro F1 lost by hiding {share:.0%} of the training labels (own sets of generators, else threshold for micro "
        f"F1): {', '.join(f'{name} {lost:.2f}' for lost, name in sorted(losses))}."
        for share, losses in sorted(found.items())
    ]


def _counts(found: dict[str, Runs]) -> list[str]:
    """A sentence for each hidden share that counts comparisons of the guided variants with base, as the paper does."""
    shares = sorted({share for systems in found.values() for share in systems.get(BASE, {})})
    sentences = []
    for share in shares:
        overall, tail = (best_differences(found, share, measures) for measures in (OVERALL, TAIL))
        if overall or tail:
            sentences.append(
                f"With {share:.0%} of the labels hidden, a guided variant matches or beats {BASE} (difference of own "
                f"sets of at least -{EQUAL} points) in {sum(one >= -EQUAL for one in overall)} of {len(overall)} "
                f"overall comparisons ({' and '.join(OVERALL)} of each set), and beats it by more than {EQUAL} points "
                f"in {sum(one > EQUAL for one in tail)} of {len(tail)} on the tail ({' and '.join(TAIL)})."
            )
    if not sentences:
        return []
    return ["### Guided and base", " ".join([*sentences, "Published: 6 of 8 and 6 of 8 with all labels."])]


def best_differences(found: dict[str, Runs], share: float, measures: Sequence[str]) -> list[float]:
    """For each set and measure, the larger difference of the two guided variants to base."""
    best = []
    for systems in found.values():
        means = {
            name: [mean_of(_good(systems.get(name, {}).get(share, [])), OWN, measure) for measure in measures]
            for name in (BASE, *GUIDED)
        }
        for place in range(len(measures)):
            base, *others = (means[name][place] for name in (BASE, *GUIDED))
            there = [value for value in others if value is not None]
            if base is not None and there:
                best.append(max(there) - base)
    return best


def _joined(rows: Sequence[Row], threads: int) -> list[str]:
    alone = by_set(rows, threads)
    parts = []
    for dataset, systems in by_set(rows, threads, "joined").items():
        pairs = _pairs(rows, systems, dataset, ensemble_name(CONTROL))
        every = {name: alone.get(dataset, {}).get(name, {}) for name in (FIRST,)} | systems
        lines = [
            _joined_line(name, share, _good(runs), pairs.get((name, share)))
            for name, shares in every.items()
            for share, runs in shares.items()
            if _good(runs)
        ]
        parts += [f"#### {dataset}", markdown(("system", "hidden", "rule", *COLUMNS, "seeds"), lines)]
    return ["### Ensembles with a generator", JOINED_TEXT, *parts] if parts else []


def _joined_line(name: str, share: float, runs: Sequence[Row], pair: Row | None) -> list[str]:
    rules = dict.fromkeys(f"{row['combine']} {row['weight']:g}" for row in runs if "combine" in row)
    cells = [_cell(mean_of(runs, "micro threshold", measure)) for measure in COLUMNS]
    if pair is not None:
        cells = [f"{cell} ({_difference(pair, measure)})" for cell, measure in zip(cells, COLUMNS, strict=True)]
    return [name, f"{share:.0%}", ", ".join(rules) or "–", *cells, str(len(runs))]


def _trials(rows: Sequence[Row]) -> list[str]:
    trials = [row for row in rows if row["kind"] == "trial"]
    last = {(row["dataset"], row["system"], row["identity"]): row for row in trials}
    lines = []
    for (dataset, name, _), row in last.items():
        settings = ", ".join(f"{key} {value}" for key, value in row["settings"].items() if key != "system")
        if row.get("failed"):
            lines.append([dataset, name, f"{settings}: {row['failed']}", *["–"] * (len(COLUMNS) + 2)])
            continue
        for place, kind in enumerate(kind for kind in KINDS if kind in row["sets"]):
            cells = [_cell(mean_of([row], kind, measure)) for measure in SET_MEASURES]
            alike = [*(_cell(row["measures"][measure]) for measure in RANKED), number(row["train_wall_s"] / 60)]
            shown = SHOWN_SETS.get(kind, kind)
            lines.append([dataset, name, settings, shown, *cells, *(alike if place == 0 else [""] * len(alike))])
    header = ("set", "system", "settings", "label sets", *COLUMNS, "minutes")
    return ["### Settings of the generators", TUNED_TEXT, markdown(header, lines)] if lines else []


def _trie(rows: Sequence[Row]) -> list[str]:
    last = {row["dataset"]: row for row in rows if row["kind"] == "trie"}
    lines = [
        [
            dataset,
            *(f"{row[name]:,}" for name in ("labels", "different", "output_tokens")),
            f"{row['tokens']['mean']:g} / {row['tokens']['p99']:g} / {row['tokens']['longest']}",
            f"{row['nodes']:,}",
            number(1e3 * row["build_s"]),
            *(number(row[name] / 1e6) for name in ("trie_bytes", "build_peak_bytes")),
        ]
        for dataset, row in last.items()
    ]
    header = ("set", "labels", "different", "output tokens", "tokens per label: mean / p99 / longest", "nodes")
    header += ("build ms", "MB", "peak MB")
    return ["### Trie of the label names", TRIE_TEXT, markdown(header, lines)] if lines else []


def _proposals(rows: Sequence[Row]) -> list[str]:
    last = {(row["dataset"], row["system"]): row for row in rows if row["kind"] == "proposals"}
    if not last:
        return []
    words = ", ".join(f"{word} ({meaning})" for word, meaning in JUDGEMENTS.items())
    parts = ["### Proposals of new labels", PROPOSALS_TEXT.format(most=MOST, words=words)]
    judged = judgements()
    for (dataset, system), row in last.items():
        found = [
            (one["text"], proposal, score, judged.get((one["text"], proposal), ""))
            for one in row["documents"]
            for proposal, score in one["proposals"]
        ]
        counts = Counter(word or "not judged" for *_, word in found)
        shown = ", ".join(f"{count} {word}" for word, count in counts.most_common())
        parts.append(f"{dataset}, {system}: {len(found)} proposals of {len(row['documents'])} documents; {shown}.")
        parts.append("\n".join(_document(one, judged) for one in row["documents"]))
    return parts


def _document(one: Row, judged: dict[tuple[str, str], str]) -> str:
    """A list item: text, true labels, generated labels, and the proposals with their judgements."""
    proposals = [
        f"`{proposal}` {score:.2g} ({judged.get((one['text'], proposal)) or 'not judged'})"
        for proposal, score in one["proposals"]
    ]
    parts = [f"- {' '.join(one['text'].split())[:SHOWN_CHARACTERS]}"]
    parts.append(f"  - true: {'; '.join(one['true'])}")
    parts.append(f"  - generated: {'; '.join(f'{name} {score:.2f}' for name, score in one['labels']) or '–'}")
    parts.append(f"  - proposals: {'; '.join(proposals) or 'none'}")
    return "\n".join(parts)
