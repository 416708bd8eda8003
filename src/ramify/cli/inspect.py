"""``ramify inspect``: the contents of a model directory, or the state of data (``inspect_data``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

from typer import Argument, Option

from ramify.cli import inspect_data
from ramify.cli.options import OUTPUT_PANEL
from ramify.wording import one_line, quoted

if TYPE_CHECKING:
    from ramify.tagger import Tagger
    from ramify.tagger.explain.label_card import LabelCard, SenseCard
    from ramify.tagger.explain.sizes import ModelCard
    from ramify.values import Dataset

HELP = """Show the sizes, tree, labels and settings of a model, or the state of data.

Of data: label frequencies, duplicates within and across training and test, empty texts, label names, languages.

Examples:

  ramify inspect model
  ramify inspect model --label "Water pollution" --data bills.jsonl
  ramify inspect model --ambiguous
  ramify inspect model --tree --nodes 100
  ramify inspect model --draw tree.svg
  ramify inspect ensemble --member 1 --tree
  ramify inspect train.jsonl --test test.jsonl --report data.html
"""


@dataclass(frozen=True, kw_only=True)
class InspectOptions(inspect_data.DataInspectionOptions):
    """Options of ``ramify inspect``."""

    model: Annotated[Path, Argument(metavar="DATA|MODEL", help="File of labelled documents, or directory of a model.")]
    label: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="NAME", help="Show a label: paths, siblings, and features with the largest weights."),
    ] = None
    data: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Labelled documents from which examples of --label are selected."),
    ] = None
    ambiguous: Annotated[bool, Option("--ambiguous", help="List labels whose leaves differ most.")] = False
    tree: Annotated[bool, Option("--tree", help="Print an outline of the tree.")] = False
    nodes: Annotated[int, Option(metavar="N", help="Approximate number of clusters in the outline.")] = 60
    draw: Annotated[Optional[Path], Option(metavar="FILE.svg", help="Draw the tree as an SVG file.")] = None  # noqa: UP045
    member: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Member of an ensemble whose tree is shown. (default: 0, the first)"),
    ] = None
    top: Annotated[int, Option(metavar="N", help="Maximum number of labels, siblings and features.")] = 10
    json: Annotated[
        bool, Option("--json", help="Results as one JSON object on stdout.", rich_help_panel=OUTPUT_PANEL)
    ] = False

    @property
    def wants_tree(self) -> bool:
        """Whether a tree or a label of it is shown."""
        return self.draw is not None or self.tree or self.label is not None or self.ambiguous


def run(options: InspectOptions) -> None:
    """Load the model or the data and print the requested information.

    Raises
    ------
    RamifyError
        An invalid model, an unknown label, data that cannot be read, or a picture that cannot be written.
    """
    from ramify.answering import open_tagger
    from ramify.cli.fuse import fusion_text
    from ramify.cli.output import note, show, show_json
    from ramify.tagger.explain.sizes import describe, tagger_of_tree

    _check(options)
    if inspect_data.is_data(options.model):
        inspect_data.run(options)
        return
    inspect_data.refuse_data_options(options)
    whole = open_tagger(options.model)
    wants_classifiers = options.label is not None or options.ambiguous
    member = options.member or 0
    tagger = tagger_of_tree(whole, member, classifiers=wants_classifiers) if options.wants_tree else whole
    if options.draw is not None:
        _draw(tagger, options.draw)
        note(f"drawn in {options.draw}")
    if options.label is not None:
        _show_label(options, tagger, options.label)
    elif options.ambiguous:
        _show_ambiguous(options, tagger)
    elif options.tree:
        show(_outline(tagger, options.nodes))
    elif options.draw is None:
        facts = describe(tagger, n_frequent=options.top)
        fused = getattr(whole.model_, "report_", None)
        if options.json:
            more = {} if fused is None else {"fusion": fused.as_dict()}
            show_json(_directory(options.model) | facts.as_dict() | more)
            return
        show("\n\n".join([_text(facts, options.model)] + ([] if fused is None else [fusion_text(fused)])))


def _check(options: InspectOptions) -> None:
    from ramify.errors import InputError

    for name in ("top", "nodes"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} is {getattr(options, name)}, but must be at least 1")
    if options.label is not None and options.ambiguous:
        raise InputError("--label and --ambiguous are both given: choose one")
    if options.member is not None and not options.wants_tree:
        raise InputError("--member is given, but no tree is shown: add --tree, --draw, --label or --ambiguous")
    if options.data is not None and options.label is None:
        raise InputError("--data is given without --label: add --label NAME, or leave it out")


def _show_label(options: InspectOptions, tagger: Tagger, name: str) -> None:
    from ramify.cli.output import show, show_json
    from ramify.tagger.explain.label_card import describe_label

    data = None if options.data is None else options.read(options.data, tagger)
    card = describe_label(tagger, name, n_features=options.top, data=data)
    show_json(card.as_dict()) if options.json else show(_label_text(card, options.top, data))


def _show_ambiguous(options: InspectOptions, tagger: Tagger) -> None:
    from ramify.cli.output import show, show_json
    from ramify.evaluation.grid import Grid
    from ramify.tagger.explain.label_card import ambiguous_labels

    found = ambiguous_labels(tagger, options.top)
    if options.json:
        show_json({"labels": [{"label": name, "leaves": leaves, "cosine": cosine} for name, leaves, cosine in found]})
        return
    rows = tuple((name, str(leaves), f"{cosine:.2f}") for name, leaves, cosine in found)
    message = "No label has several leaves: train with --copies 2."
    show(str(Grid("labels whose leaves differ most", ("", "leaves", "least cosine"), rows)) if rows else message)


def _draw(tagger: Tagger, path: Path) -> None:
    """Draw the tree to a file that is created on success only."""
    from ramify.data.streams import writing
    from ramify.errors import InputError
    from ramify.index import picture

    if path.suffix.lower() != ".svg":
        raise InputError(f"--draw is {quoted(path.name)}, but the picture is an SVG file: use the extension .svg")
    svg = picture(tagger.model_.tree_, tagger.label_names_, frequencies=tagger.label_counts_)
    with writing(path) as stream:
        stream.write(svg.encode())


def _outline(tagger: Tagger, nodes: int) -> str:
    from ramify.index import render_text

    tree = tagger.model_.tree_
    return render_text(tree, tagger.label_names_, frequencies=tagger.label_counts_, max_nodes=nodes)


def _directory(model: Path) -> dict[str, Any]:
    from ramify.answering import model_format
    from ramify.cli.training_report import directory_bytes

    number, version = model_format(model)
    return {"directory": str(model), "format": number, "version": version, "bytes_on_disk": directory_bytes(model)}


def _text(card: ModelCard, model: Path) -> str:
    from ramify.cli.output import bytes_text, columns

    directory = _directory(model)
    facts = [
        ("model", f"{card.model}, features by {card.vectorizer}"),
        *([("texts", card.text_features)] if card.text_features else []),
        ("format", f"{directory['format']}, written by ramify {directory['version']}"),
        ("documents", f"{card.n_documents:,}" if card.n_documents else "unknown"),
        ("labels", f"{card.n_labels:,}"),
        *([("vocabulary", _vocabulary_text(card.vocabulary))] if card.vocabulary else []),
        ("features", f"{card.n_features:,}"),
        ("weights", f"{card.n_weights:,}"),
        ("on disk", bytes_text(directory["bytes_on_disk"])),
    ]
    facts += [(f"  {name}", bytes_text(size)) for name, size in card.bytes.items()]
    parts = [columns(facts), _levels(card), _members(card), _frequent(card)]
    for name, settings in card.settings.items():
        listing = columns([(key, str(value)) for key, value in settings.items()], indent=2)
        parts.append(f"settings of the {name}\n{listing}" if settings else "")
    return "\n\n".join(filter(None, parts))


def _vocabulary_text(facts: dict[str, Any]) -> str:
    parts = [f"languages {', '.join(facts['languages']) or 'not stated'}"]
    names = ("alternative_names", "notations", "broader", "related")
    parts += [f"{facts[name]:,} {name.replace('_', ' ')}" for name in names if facts[name]]
    if facts["without_documents"] is not None:
        parts.append(f"{facts['without_documents']:,} concepts without a training document")
    return ", ".join(parts)


def _levels(card: ModelCard) -> str:
    from ramify.cli.output import bytes_text
    from ramify.evaluation.grid import Grid

    if not card.levels:
        return ""
    rows = [
        (
            "leaves" if number == len(card.levels) - 1 else f"level {number + 1}",
            f"{level.nodes:,}",
            f"{level.children:.1f}",
            f"{level.weights:,}",
            bytes_text(level.bytes),
        )
        for number, level in enumerate(card.levels)
    ]
    return str(Grid("tree", ("", "nodes", "per parent", "weights", "size"), tuple(rows)))


def _members(card: ModelCard) -> str:
    from ramify.cli.output import bytes_text
    from ramify.evaluation.grid import Grid

    if not card.members:
        return ""
    rows = [
        (
            str(number),
            member.model,
            "" if member.seed is None else str(member.seed),
            "" if member.share is None else f"{member.share:.2f}",
            " · ".join(f"{level.nodes:,}" for level in member.levels),
            f"{member.n_weights:,}",
            bytes_text(member.bytes),
        )
        for number, member in enumerate(card.members)
    ]
    return str(Grid("members", ("", "model", "seed", "share", "nodes per level", "weights", "size"), tuple(rows)))


def _frequent(card: ModelCard) -> str:
    from ramify.cli.output import columns

    rows = [(name, f"{count:,} documents") for name, count in card.frequent]
    return f"most frequent labels\n{columns(rows, indent=2)}" if rows else ""


def _label_text(card: LabelCard, top: int, data: Dataset | None) -> str:
    known = "" if card.documents is None else f", {card.documents:,} training documents"
    lines = [f"{one_line(card.name)} (label {card.number}{known})"]
    if not card.senses:
        lines.append("It has no leaf in the tree, because no training document has it: it is never predicted.")
    for number, sense in enumerate(card.senses, 1):
        which = f"sense {number}: " if len(card.senses) > 1 else ""
        lines += ["", f"{which}path from the top, with the features of largest weight at each step:", _path_text(sense)]
        if sense.siblings:
            more = f" and {len(sense.siblings) - top:,} more" if len(sense.siblings) > top else ""
            lines.append(f"siblings: {', '.join(map(one_line, sense.siblings[:top]))}{more}")
        lines += [_example_text(data, row) for row, _ in sense.examples]
    return "\n".join(lines)


def _path_text(sense: SenseCard) -> str:
    from ramify.cli.output import columns

    rows = []
    for node in sense.path:
        what = "the label itself" if node is sense.path[-1] else f"level {node.level + 1}, {node.labels:,} labels"
        rows.append((what, ", ".join(f"{name} {weight:+.2f}" for name, weight in node.features)))
    return columns(rows, indent=2)


def _example_text(data: Dataset | None, row: int) -> str:
    text = None if data is None or data.texts is None else " ".join(data.texts[row].split())
    return f"example: document {row + 1}" + ("" if text is None else f", {text[:100]}")
