"""The target figures of the race, each with the measured one.

✗ missed, ✓ reached, ✓✓ second target reached as well, – not measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from racing.rows import Row, counted, current
from racing.sets import GENERATED, HELD_BACK, RACE, SMALL
from racing.summary import Pairs, Summary, best_peer, missing_peers
from racing.tables import markdown, number

DEFAULT, FAST, BEST, TAIL = "ramify", "ramify-fast", "ramify-best", "ramify-tail"
PECOS, TUNED, TUNED_TREES = "libpecos", "libpecos-tuned", "libpecos-tuned-3-trees"
ONE_VS_REST = ("scikit-learn", "scikit-learn-tuned")
RIVALS = (PECOS, TUNED, "omikuji", "omikuji-tuned")
P_MEASURES = ("P@1", "P@3", "P@5")
PSP_MEASURES = ("PSP@1", "PSP@3", "PSP@5")
SIX = (*P_MEASURES, *PSP_MEASURES)
PUBLISHED = {  # Extreme Classification Repository, standard splits: Parabel, and the best of each column
    "bibtex": {
        "P@1": (64.53, 65.08), "P@3": (38.56, 39.64), "P@5": (27.94, 29.14), "nDCG@3": (59.35, 60.47),
        "nDCG@5": (61.06, 62.64), "PSP@1": (50.88, 52.28), "PSP@3": (52.42, 54.36), "PSP@5": (57.36, 60.55),
    },
    "delicious": {
        "P@1": (67.44, 69.61), "P@3": (61.83, 64.12), "P@5": (56.75, 59.27), "nDCG@3": (63.15, 65.47),
        "nDCG@5": (59.41, 61.90), "PSP@1": (32.69, 34.57), "PSP@3": (34.00, 34.80), "PSP@5": (34.53, 35.86),
    },
}  # fmt: skip

Systems = dict[str, Summary]


@dataclass(frozen=True)
class Saving:
    """A cost of a peer over one of ramify's: at least so many times, and as an aim.

    ``peer_cost`` is the peer's figure where it differs from ``cost``.
    """

    title: str
    cost: str
    least: float
    aim: float
    system: str = DEFAULT
    peer: str = PECOS
    peer_cost: str | None = None


SAVINGS = (
    Saving("training CPU", "train_cpu_s", 6, 10),
    Saving(f"training CPU beside `{TUNED}`", "train_cpu_s", 10, 20, peer=TUNED),
    Saving("training CPU, `fast`", "train_cpu_s", 6, 10, FAST),
    Saving("peak memory above the data while training", "peak_above_bytes", 2, 4),
    Saving("batch prediction CPU per document", "batch_cpu_us", 5, 8),
    Saving("one scipy row through `predict_topk`, p50", "row_p50_us", 6, 10),
    Saving("one document as bare arrays, beside a scipy row, p50", "arrays_p50_us", 6, 10, peer_cost="row_p50_us"),
    Saving("model on disk", "model_bytes", 2, 3),
)
OPEN_MS = (20.0, 5.0)
TEXT_TIMES = (5.0, 10.0)
TAG_US = 150.0
TAG_SET = "gutenberg-lcsh"


def tick(value: float, least: float, aim: float) -> str:
    """The mark of a value that should be large."""
    if math.isnan(value):
        return "–"
    return "✓✓" if value >= aim else "✓" if value >= least else "✗"


def cost_requirements(found: dict[str, Systems], rows: Sequence[Row], threads: int) -> str:
    """A row per figure, a column per data set."""
    datasets = [name for name in found if DEFAULT in found[name] and name not in GENERATED]
    lines = [
        (saving.title, f"1/{saving.least:g}", f"1/{saving.aim:g}", *(_saving(saving, found[name]) for name in datasets))
        for saving in SAVINGS
    ]
    for title, cost in (("with the checksums verified (the default)", "load_ms"), ("unverified", "fast_load_ms")):
        cells = (_opening(found[name], cost) for name in datasets)
        lines.append((f"opening a saved model, {title}", "20 ms", "5 ms", *cells))
    texts = [row for row in current(rows, "text", threads=threads) if not row.get("failed")]
    of = {name: counted([row for row in texts if row["dataset"] == name])[0] for name in datasets}
    title = "text → features, documents per CPU second beside TfidfVectorizer"
    lines.append((title, "5×", "10×", *(_text(of[name]) for name in datasets)))
    lines.append(("`tag([one text])`, p50", f"{TAG_US:g} µs", "", *(_tag(name, of[name]) for name in datasets)))
    columns = (_marked(found[name], name) for name in datasets)
    return markdown(("ramify's default beside libpecos", "at least", "aim", *columns), lines)


def _marked(systems: Systems, dataset: str) -> str:
    """The data set, with a star where a figure is of a busy machine."""
    busy = any(systems[name].busy for name in (DEFAULT, PECOS, TUNED) if name in systems)
    return f"{dataset} *" if busy else dataset


def _saving(saving: Saving, systems: Systems) -> str:
    own, peer = systems.get(saving.system), systems.get(saving.peer)
    if own is None or peer is None or not own.runs or not peer.runs:
        return "–"
    times = peer.cost(saving.peer_cost or saving.cost) / own.cost(saving.cost)
    return f"1/{number(times)} {tick(times, saving.least, saving.aim)}"


def _opening(systems: Systems, cost: str) -> str:
    taken = systems[DEFAULT].cost(cost)
    return "–" if math.isnan(taken) else f"{number(taken)} ms {tick(-taken, -OPEN_MS[0], -OPEN_MS[1])}"


def _text(rows: Sequence[Row]) -> str:
    if not rows:
        return "–"
    times = statistics.median(row["documents_per_cpu_s"] / row["sklearn_documents_per_cpu_s"] for row in rows)
    return f"{times:.1f}× {tick(times, *TEXT_TIMES)}"


def _tag(dataset: str, rows: Sequence[Row]) -> str:
    if not rows:
        return "–"
    taken = statistics.median(row["tag_p50_us"] for row in rows)
    mark = (" ✓" if taken < TAG_US else " ✗") if dataset == TAG_SET else ""
    return f"{taken:.0f} µs{mark}"


def precision_requirements(found: dict[str, Systems], pairs: Pairs) -> str:
    """The default beside its rivals, ``best`` and ``tail`` beside everyone."""
    datasets = [name for name in (*RACE, *HELD_BACK) if name in found]
    lines = [
        *(
            (f"default – `{rival}`, P@1 / P@3 / P@5", *(_beside(d, DEFAULT, rival, pairs) for d in datasets))
            for rival in (*RIVALS, *ONE_VS_REST)
        ),
        ("`fast` – `libpecos`, P@1 / P@3 / P@5", *(_beside(d, FAST, PECOS, pairs) for d in datasets)),
        ("default's training CPU, at most 1/3 of `libpecos`", *(_third(found[d]) for d in datasets)),
        (f"`best` – `{TUNED_TREES}`, P@1 / P@3 / P@5", *(_beside(d, BEST, TUNED_TREES, pairs) for d in datasets)),
        ("`best` ahead of every peer on every measure", *(_ahead(d, found[d], pairs) for d in datasets)),
        ("`best` and the published Parabel", *(_published(d, found[d], 0) for d in datasets)),
        ("`best` and the best published of each column", *(_published(d, found[d], 1) for d in datasets)),
        ("`tail` has the best PSP@1, 3, 5 of all", *(_tail(found[d]) for d in datasets)),
        ("peers without figures", *(missing_peers(found[d]) or "none" for d in datasets)),
    ]
    return "\n\n".join([markdown(("precision", *datasets), lines), *_counts(datasets, pairs)])


def _counts(datasets: Sequence[str], pairs: Pairs) -> list[str]:
    """Significant gains and losses over all data sets, one sentence per pair of systems."""
    compared = (
        *(("default", DEFAULT, rival, [name for name in datasets if name in SMALL]) for rival in ONE_VS_REST),
        *(("default", DEFAULT, rival, datasets) for rival in RIVALS),
        ("`best`", BEST, TUNED_TREES, datasets),
    )
    return [_count(title, system, peer, names, pairs) for title, system, peer, names in compared]


def _count(title: str, system: str, peer: str, datasets: Sequence[str], pairs: Pairs) -> str:
    """The sets without the comparison are named: their differences are unknown."""
    signs: list[int] = []
    unknown = []
    for dataset in datasets:
        found = [pairs.difference(dataset, system, peer, measure) for measure in SIX]
        signs += [one[1] for one in found if one is not None]
        unknown += [dataset] if None in found else []
    gains, losses = sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs)
    marks = ["✓" if 2 * gains > len(signs) else "✗", "✓" if losses == 0 else "✗"] if signs else ["–", "–"]
    text = f"{title} – `{peer}` on P@1, 3, 5 and PSP@1, 3, 5: significant gains {gains} of {len(signs)} {marks[0]} "
    text += f"(target: most), significant losses {losses} {marks[1]} (target: none)"
    return f"{text}; not compared: {', '.join(unknown)}." if unknown else f"{text}."


def _beside(dataset: str, system: str, rival: str, pairs: Pairs) -> str:
    found = [pairs.difference(dataset, system, rival, measure) for measure in P_MEASURES]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return "–"
    texts = (f"**{value:+.2f}**" if sign > 0 else f"{'↓' if sign < 0 else ''}{value:+.2f}" for value, sign in known)
    return f"{' / '.join(texts)} {'✗' if any(sign < 0 for _, sign in known) else '✓'}"


def _third(systems: Systems) -> str:
    return _saving(Saving("", "train_cpu_s", 3, math.inf), systems)


def _ahead(dataset: str, systems: Systems, pairs: Pairs) -> str:
    """Whether every mean is above that of the best measured peer, and how many differences are significant."""
    own = systems.get(BEST)
    if own is None or not own.runs or not any(one.runs and not one.ours for one in systems.values()):
        return "–"
    behind, signs = [], []
    for name in own.runs[0]["measures"]:
        peer = best_peer(systems, name) or own
        lead = own.measure(name)[0] - peer.measure(name)[0]
        behind += [f"{name} {lead:+.2f} ({peer.system})"] if lead <= 0 else []
        found = pairs.difference(dataset, BEST, peer.system, name)
        signs += [found[1]] if found else []
    total = len(own.runs[0]["measures"])
    mark = f"✗ {', '.join(behind)}" if behind else f"✓ all {total}"
    return f"{mark}; {sum(sign > 0 for sign in signs)} of {len(signs)} compared significantly"


def _published(dataset: str, systems: Systems, column: int) -> str:
    own, published = systems.get(BEST), PUBLISHED.get(dataset)
    if own is None or not own.runs or published is None:
        return "–"
    short = {name: own.measure(name)[0] - values[column] for name, values in published.items()}
    behind = [f"{name} {value:+.2f}" for name, value in short.items() if value < 0]
    return f"✗ {', '.join(behind)}" if behind else f"✓ all {len(published)}"


def _tail(systems: Systems) -> str:
    own = systems.get(TAIL)
    if own is None or not own.runs:
        return "–"
    others = [one for one in systems.values() if one.runs and one.system != TAIL]
    behind = [
        f"{name} {own.measure(name)[0] - best:+.2f}"
        for name in PSP_MEASURES
        if own.measure(name)[0] <= (best := max((one.measure(name)[0] for one in others), default=0.0))
    ]
    default = systems.get(DEFAULT)
    stated = ""
    if default is not None and default.runs:
        prices = (f"{own.measure(name)[0] - default.measure(name)[0]:+.2f}" for name in P_MEASURES)
        stated = f"; P@1, 3, 5 {' / '.join(prices)}"
    return (f"✗ {', '.join(behind)}" if behind else "✓") + stated
