"""Flags, --set and settings files of every kind."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ramify import catalogue, load
from ramify.checks import Own, Pair, Real, Whole, YesNo
from ramify.cli.plan import SWITCHES, Plan, Start, own_flags
from ramify.cli.settings import Part, Setting, shown
from ramify.models.presets import PRESETS

for entry in catalogue.ENTRIES:
    entry.load()  # an import within a strategy may draw random numbers

MODELS = catalogue.named(catalogue.MODEL)
VECTORIZERS = catalogue.named(catalogue.VECTORIZER)
PARTS = [(role, name) for role in ("model", "wrapper", "vectorizer") for name in catalogue.named(role)]

FEW = {"epochs": 1, "warmup": 1, "embedding": 4, "hidden": 8, "dimensions": 8, "checkpoint": None, "steps": 1}
"""Values that keep the training of networks short."""

THREE = {
    "xr-linear": ["epsilon=0.2", "representation=graph-spectrum", "representation.dimensions=4"],
    "blend": ["tail_rank=2", "trees=1", "branching=4"],
    "partitioned": ["matcher=nearest", "matcher.neighbours=5", "ranker.epsilon=0.2"],
    "fusion": ["vectorizer.lowercase=no", "measure=f1", "members=xr-linear,nearest"],
    "nearest-texts": ["neighbours=5", "label_share=0.3", "candidates=20"],
    "nearest-instances": ["neighbours=5", "power=2", "weighting=none"],
    "dense-neighbours": ["neighbours=5", "power=2", "among=labels"],
    "lexical": ["language=en", "ranking_trees=5", "most_labels=7"],
    "popular-labels": ["vectorizer.sublinear=no", "vectorizer.lowercase=no", "vectorizer.norm=none"],
    "label-chain": ["average=0", "held_out=0", "warmup=1"],
    "reinforced-chain": ["chain.hidden=8", "chain.epochs=1", "chain.warmup=1"],
    "xr-transformer": ["branching=2", "loss=bce", "ranker.beam=5"],
    "x-transformer": ["head_learning_rate=0.1", "preliminary_indexer=kmeans", "held_out=0"],
    "flat-transformer": ["dropout=0", "ranker.max_leaf=2", "weight_decay=0"],
    "xlgen": ["decoder_layers=1", "order=random", "beam=2"],
    "composite-chain": ["resequenced.epochs=1", "reinforced.epochs=1", "reinforced.chain.epochs=1"],
    "xlgen-with-tree": ["generator.epochs=1", "tree.max_leaf=2", "generator.beam=2"],
}


def _parts(model: str, vectorizer: str = "tfidf") -> dict[str, Part]:
    return Start.of(model=model, vectorizer=vectorizer).parts()


def _flags(model: str, vectorizer: str = "tfidf") -> list[str]:
    """Every flag of a kind, with a value that fits."""
    found = []
    for name, (part, _) in own_flags(_parts(model, vectorizer)).items():
        found += ["--" + name.replace("_", "-"), shown(FEW.get(name, part.values[name]))]
    return found


@pytest.mark.parametrize(("role", "name"), PARTS)
def test_a_kind_has_at_most_ten_flags_and_each_is_a_setting(role, name):
    part = Part(role, name)
    assert len(part.made_of.FLAGS) <= 10
    assert set(part.made_of.FLAGS) <= set(part.settings)
    for flag in part.made_of.FLAGS:
        assert part.settings[flag].help, flag


def _with_inner_vectorizers(part: Part) -> list[Part]:
    inner = [one for value in part.values.values() if isinstance(value, Part) for one in _with_inner_vectorizers(value)]
    return [part, *inner] if part.role == catalogue.VECTORIZER else [part]


@pytest.mark.parametrize(("model", "vectorizer"), list(itertools.product(MODELS, [*VECTORIZERS, "static+encoder"])))
def test_a_flag_belongs_to_one_part(model, vectorizer):
    parts = _parts(model, vectorizer)
    owners = [one for part in parts.values() for one in _with_inner_vectorizers(part)]
    names = [name for one in owners for name in one.made_of.FLAGS]
    switch_is_taken = "trees" in parts["model"].settings
    own = own_flags(parts)
    assert set(own) == {name for name in names if not (switch_is_taken and name == "combine")}
    for name, (part, _) in own.items():
        assert part is next(one for one in owners if name in one.made_of.FLAGS), name
    repeated = {name for name in names if names.count(name) > 1}
    assert repeated <= {"trees", "device", "encoder"}  # of a model and of the encoder in its vectorizer


@pytest.mark.parametrize("model", MODELS)
def test_every_kind_trains_with_each_of_its_flags_and_three_settings(
    call, documents, tmp_path, model, monkeypatch, request
):
    pytest.importorskip(catalogue.EXTRA_MODULES.get(MODELS[model].extra, "ramify"))
    if model.endswith("transformer"):
        monkeypatch.setitem(FEW, "encoder", request.getfixturevalue("tiny_encoder"))
    flags = ["--model", model, "--threads", 1, "-q", *_flags(model)]
    if "--combine" in flags:
        flags[flags.index("--trees") + 1] = 2
    sets = list(itertools.chain.from_iterable(("--set", one) for one in THREE[model]))
    if model == "xlgen-with-tree":
        sets += ["--set", f"generator.encoder={request.getfixturevalue('tiny_encoder')}"]
    given = {one.partition("=")[0] for one in THREE[model]} & set(own_flags(_parts(model)))
    for name in given:
        at = flags.index("--" + name.replace("_", "-"))
        del flags[at : at + 2]
    done = call("train", documents, "--out", tmp_path / "m", *flags, *sets)
    assert done.code == 0, done.err
    settings_kept = json.loads(call("inspect", tmp_path / "m", "--json").out)["settings"]["model"]
    for one in THREE[model]:
        path, _, text = one.partition("=")
        if path in settings_kept and not isinstance(settings_kept[path], dict | None):
            assert shown(settings_kept[path]) in (text, f"{text}.0"), one


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("columns", [80, 100])
def test_help_fits_two_screens(call, monkeypatch, model, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    done = call("train", "--model", model, "--help")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert len(lines) <= 104
    assert max(map(len, lines)) <= columns
    for name in own_flags(_parts(model)):
        assert f"--{name.replace('_', '-')} " in done.out


@pytest.mark.parametrize(("role", "name"), PARTS)
def test_help_of_a_flag_has_at_most_fifteen_words(role, name):
    from ramify.cli.settings import first_sentence

    part = Part(role, name)
    texts = {flag: first_sentence(part.settings[flag].help) for flag in part.made_of.FLAGS}
    assert {flag: text for flag, text in texts.items() if len(text.split()) > 15} == {}


def test_help_shows_the_defaults_that_are_used(call):
    shown_help = " ".join(call("train", "--preset", "fast", "--help").out.replace("│", " ").split())
    assert "Maximum number of labels per leaf cluster. (default: 64)" in shown_help
    assert "(default: 1)" in shown_help[shown_help.index("--copies") : shown_help.index("--trees")]


def test_trees_of_a_blend_are_its_own(call):
    found = json.loads(call("train", "--preset", "best", "--trees", 3, "--show-config").out)
    assert found["model_settings"]["trees"] == 3
    assert found["ensemble_settings"]["trees"] == 1
    found = json.loads(call("train", "--preset", "best", "--set", "ensemble.trees=2", "--show-config").out)
    assert (found["model_settings"]["trees"], found["ensemble_settings"]["trees"]) == (3, 2)


@pytest.mark.parametrize("model", MODELS)
def test_wrappers_exist_where_they_fit(call, refused, model):
    rules = MODELS[model].load().RULES
    for kind, (switch, needed) in SWITCHES.items():
        if switch in rules:
            continue
        arguments = ("train", "--model", model, f"--{switch}", 2, "--show-config")
        if needed in rules:
            assert json.loads(call(*arguments).out)[f"{kind}_settings"][switch] == 2
        else:
            assert f"--{switch}" in refused(*arguments)
            assert "does not support" in refused("train", "--model", model, "--set", f"{kind}.{switch}=2")


@pytest.mark.parametrize(
    ("sets", "path", "value"),
    [
        (["matcher=nearest", "matcher.neighbours=5"], "model_settings.matcher.neighbours", 5),
        (["matcher.neighbours=5", "matcher=nearest"], "model_settings.matcher.neighbours", 5),
        (["ranker=mixed", "ranker.share=0.3"], "model_settings.ranker.share", 0.3),
        (["ranker=mixed", "ranker.first.epsilon=0.2"], "model_settings.ranker.first.epsilon", 0.2),
        (
            ["ranker=mixed", "ranker.first=mixed", "ranker.first.second.representation=pii"],
            "model_settings.ranker.first.second.representation.kind",
            "pii",
        ),
        (["matcher.indexer=kmeans", "matcher.indexer.spherical=no"], "model_settings.matcher.indexer.spherical", False),
        (["indexer=neighbours", "indexer.max-leaf=8"], "model_settings.indexer.max_leaf", 8),
        (["vectorizer.words=1,3"], "vectorizer_settings.words", [1, 3]),
        (["vectorizer.min_df=0.5"], "vectorizer_settings.min_df", 0.5),
        (["vectorizer.norm=none"], "vectorizer_settings.norm", None),
        (["ensemble.trees=2", "ensemble.candidates=50"], "ensemble_settings.candidates", 50),
        (["disentangled.copies=2", "disentangled.folds=0"], "disentangled_settings.folds", 0),
        (["model.max_leaf=7"], "model_settings.max_leaf", 7),
        (["matcher=none"], None, "--set matcher is 'none', but must be one of linear, blend, nearest"),
    ],
)
def test_set(call, refused, sets, path, value):
    arguments = ["train", "--model", "partitioned", *itertools.chain.from_iterable(("--set", one) for one in sets)]
    if path is None:
        assert value in refused(*arguments, "--show-config")
        return
    done = call(*arguments, "--show-config")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    for name in path.split("."):
        found = found[name]
    assert found == value


def test_every_setting_of_every_part_of_partitioned_can_be_set(call):
    part = Part("model", "partitioned")
    for name in ("indexer", "representation"):
        part.put([name], next(iter(part.settings[name].kinds)), name, is_text=True)
    sets = []
    for path, (owner, setting) in part.paths().items():
        if path == "max_leaf":  # of the default indexer
            continue
        sets += ["--set", f"{path}={shown(owner.values[setting.name])}"]
    done = call("train", "--model", "partitioned", *sets, "--show-config")
    assert done.code == 0, done.err
    assert json.loads(done.out)["model_settings"] == json.loads(json.dumps(part.as_dict()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "epsilom=0.1"], "did you mean 'epsilon'?"),
        (["--set", "matcher.beam=3"], "has no setting 'matcher'"),
        (["--set", "beam.deep=3"], "beam has no settings: use --set beam=VALUE"),
        (["--set", "indexer.max_leaf=3"], "add --set indexer=kmeans|neighbours"),
        (["--set", "indexer=kmean"], "did you mean 'kmeans'?"),
        (["--set", "loss=hing"], "did you mean 'hinge'?"),
        (["--set", "vectorizer.lowercas=no"], "did you mean 'lowercase'?"),
        (["--set", "ensemble.candidates=50"], "add --trees 2"),
        (["--set", "disentangled.cap=50"], "add --copies 2"),
        (["--set", "epsilon"], "must be PATH=VALUE"),
        (["--set", "=3"], "must be PATH=VALUE"),
        (["--set", ".=3"], "has no setting ''"),
        (["--set", "a..b=3"], "has no setting 'a'"),
        (["--set", "vectorizer.=3"], "has no setting ''"),
        (["--set", "x" * 5000 + "=3"], "has no setting 'xxx"),
        (["--set", "a." * 2000 + "b=3"], "has no setting 'a'"),
        (["--set", "epsilon=" + "9" * 5000], "epsilon is inf"),
        (["--set", "beam=" + "9" * 5000], "beam is '999"),
        (["--set", "epsilon=nan"], "epsilon is nan"),
        (["--set", "__init__=1"], "has no setting '__init__'"),
        (["--set", "seed=1"], "use --seed"),
        (["--set", "lowercase=no"], "use --set vectorizer.lowercase=VALUE"),
        (["--set", "indexer=kmeans", "--max-leaf", "3"], "--max-leaf has no effect if indexer is given"),
        (["--set", "model=blend"], "use --model"),
        (["--set", "epsilon=0.1", "--set", "epsilon=0.2"], "set the same setting"),
        (["--set", "max_leaf=50", "--max-leaf", "50"], "--max-leaf and --set max_leaf set the same setting"),
        (["--set", "model.max_leaf=50", "--set", "max-leaf=50"], "set the same setting"),
        (["--set", "normalize=maybe"], "must be yes or no"),
        (["--set", "hard_negative_weight=7"], "at most 1 or none"),
        (["--epsilon", "0.1"], "no such option --epsilon: use --set epsilon=VALUE"),
        (["--lowercase", "no"], "use --set vectorizer.lowercase=VALUE"),
        (["--cap", "3"], "use --set disentangled.cap=VALUE"),
        (["--model", "reinforced-chain", "--chain-hidden", "8"], "use --set chain.hidden=VALUE"),
        (["--model", "nearest-instances", "--beam", "3"], "--beam: the model nearest-instances has no such setting"),
        (["--model", "partitioned", "--set", "matcher.neighbors=5"], "has no setting 'neighbors'"),
        (["--model", "partitioned", "--set", "matcher=nearest", "--set", "matcher.neighbors=5"], "'neighbours'?"),
        (["--model", "label-chain", "--set", "ensemble.trees=2", "--set", "chain.hidden=3"], "has no setting 'chain'"),
        (["--model", "xr-linear", "--set", "representation=mixture"], "first of the representation mixture"),
    ],
)
def test_refused_settings(refused, arguments, words):
    sentence = refused("train", *arguments, "--show-config")
    assert words in sentence
    assert len(sentence) < 500


@given(st.text(max_size=30))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_as_a_setting_is_refused_or_taken(text):
    from ramify.errors import InputError

    try:
        plan = Plan.of(Start.of(model="partitioned"), {}, [text])
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert plan.as_dict()


@pytest.mark.parametrize(("preset", "model"), list(itertools.product(PRESETS, MODELS)))
def test_a_preset_and_another_model(call, preset, model):
    done = call("train", "--preset", preset, "--model", model, "--show-config")
    if PRESETS[preset].model == model:
        assert done.code == 0
        return
    assert done.code == 2
    [line] = done.err.splitlines()
    wanted = f"--preset {preset} is for the model {PRESETS[preset].model}, but the model is {model!r}"
    assert wanted in line


def test_a_preset_and_a_settings_file_of_another_model(refused, call, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(call("train", "--model", "label-chain", "--show-config").out, "utf-8")
    assert "leave one of them out" in refused("train", "--preset", "best", "--config", path, "--show-config")
    assert call("train", "--config", path, "--order", "random", "--show-config").code == 0  # flags of the file's model


def _values(setting: Setting) -> st.SearchStrategy[object]:
    """Values that a setting takes."""
    rule = setting.rule
    values: st.SearchStrategy[object] = st.just(setting.default)
    if isinstance(rule, Whole):
        values = st.integers(rule.low, int(min(rule.high, 10**6)))
    elif isinstance(rule, Real):
        values = st.floats(rule.low, rule.high)
    elif isinstance(rule, YesNo):
        values = st.booleans()
    elif isinstance(rule, Pair):
        values = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda pair: tuple(sorted(pair)))
    elif rule.choices:
        values = st.sampled_from(list(rule.choices))
    return values | st.none() if rule.optional else values


@st.composite
def plans(draw: st.DrawFn) -> tuple[Start, list[str]]:
    """A model and random settings of it and of the parts inside."""
    model, vectorizer = draw(st.sampled_from(list(MODELS))), draw(st.sampled_from(list(VECTORIZERS)))
    start = Start.of(model=model, vectorizer=vectorizer)
    parts = start.parts()
    found = {}
    for kind in ("model", "vectorizer"):
        for setting in parts[kind].settings.values():
            if setting.role is not None and draw(st.booleans()):
                chosen = draw(st.sampled_from([name for name in setting.kinds if name != "mixture"]))
                parts[kind].put([setting.name], chosen, "", is_text=True)
                found[f"{kind}.{setting.name}"] = chosen
        paths = parts[kind].paths()
        if f"{kind}.indexer" in found:  # settings of the default indexer are then refused
            paths = {
                path: one for path, one in paths.items() if path not in ("branching", "max_leaf", "cluster_iterations")
            }
        some = st.lists(st.sampled_from(sorted(paths)), max_size=5, unique=True) if paths else st.just([])
        for path in draw(some):
            setting = paths[path][1]
            if setting.role is None:
                found[f"{kind}.{path}"] = shown(draw(_values(setting)))
    return start, [f"{path}={text}" for path, text in found.items()]


@given(plans())
@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
def test_shown_settings_give_the_same_plan(tmp_path_factory, plan):
    start, sets = plan
    wanted = Plan.of(start, {}, sets, seed=3).as_dict()
    path = Path(tmp_path_factory.mktemp("settings")) / "settings.json"
    path.write_text(json.dumps(wanted), "utf-8")
    found = Plan.of(Start.of(config=path), {})
    assert json.loads(json.dumps(found.as_dict())) == json.loads(json.dumps(wanted))
    assert repr(found.parts["model"].build()) == repr(Plan.of(start, {}, sets).parts["model"].build())


def test_files_written_before_nested_parts_are_read(call, tmp_path):
    old = {"model": "composite-chain", "model_settings": {"resequenced__hidden": 8, "reinforced__chain__epochs": 2}}
    (tmp_path / "old.json").write_text(json.dumps(old | {"disentangled_settings": {"copies": 1, "cap": None}}))
    found = json.loads(call("train", "--config", tmp_path / "old.json", "--show-config").out)["model_settings"]
    assert found["resequenced"]["hidden"] == 8
    assert found["reinforced"]["chain"]["epochs"] == 2


def test_flags_override_the_file_and_the_file_the_preset(call, tmp_path):
    (tmp_path / "s.json").write_text('{"seed": 4, "model_settings": {"max_leaf": 9, "epsilon": 0.2}}')
    arguments = ("train", "--preset", "fast", "--config", tmp_path / "s.json", "--set", "epsilon=0.1", "--show-config")
    found = json.loads(call(*arguments).out)
    assert found["seed"] == 4
    wanted = {"max_leaf": 9, "epsilon": 0.1, "negatives": "tfn"}
    assert {name: found["model_settings"][name] for name in wanted} == wanted
    assert json.loads(call(*arguments, "--seed", 0).out)["seed"] == 0


def test_show_config_reproduces_the_run(call, documents, tmp_path):
    sets = ("--set", "matcher=nearest", "--set", "matcher.neighbours=5", "--set", "ranker.epsilon=0.2", "--seed", 3)
    arguments = ("--model", "partitioned", *sets, "--max-leaf", 2, "--threads", 1)
    (tmp_path / "s.json").write_text(call("train", *arguments, "--show-config").out, "utf-8")
    for name, flags in (("a", arguments), ("b", ("--config", tmp_path / "s.json"))):
        assert call("train", documents, "--out", tmp_path / name, "-q", *flags).code == 0
    texts = ["river lake", "flame smoke"]
    assert load(tmp_path / "a").tag(texts, 3) == load(tmp_path / "b").tag(texts, 3)


@pytest.mark.parametrize("kind", sorted({name for entry in catalogue.ENTRIES for name in entry.roles.values()}))
def test_settings_lists_every_setting(call, kind):
    found = json.loads(call("settings", kind, "--json").out)["kinds"]
    lines = call("settings", kind).out.splitlines()
    assert max(map(len, lines)) <= 80
    for one in found:
        entry = catalogue.by_class(one["class"]) or catalogue.named(one["role"])[kind]
        paths = [setting["path"].removeprefix(f"{kind}.").removeprefix("vectorizer.") for setting in one["settings"]]
        wanted = set(entry.load().RULES) - {"seed", "threads", "model", "models"}
        assert wanted - set(paths) <= {"held_out", "normalize"}
        for setting in one["settings"]:
            assert any(line.strip().startswith(f"{setting['path']}=") for line in lines), setting


def test_settings_lists_the_kinds(call, refused):
    found = json.loads(call("settings", "--json").out)["kinds"]
    table = call("settings").out
    assert max(map(len, table.splitlines())) <= 80
    assert all(f"  {one['name']} " in table for one in found)
    assert {one["name"] for one in found if one["role"] == "model"} == set(MODELS)
    assert "did you mean 'partitioned'?" in refused("settings", "partitoned")


def test_an_extra_that_is_missing_is_named_before_the_data_are_read(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert 'pip install "ramify[torch]"' in refused("train", "nowhere.jsonl", "--out", "m", "--model", "label-chain")


def test_rules_of_the_catalogue_are_settable():
    """A rule whose objects the catalogue names has a role."""
    for role, name in PARTS:
        for setting, rule in Part(role, name).made_of.RULES.items():
            assert not isinstance(rule, Own) or rule.role or rule.choices, (name, setting)


def test_the_language_is_a_flag_and_is_shown(call, documents, tmp_path):
    done = call("train", documents, "--out", tmp_path / "m", "--language", "fi", "--set", "vectorizer.stemmer=snowball")
    assert (done.code, "language fi, Snowball stems" in done.out) == (0, True)
    assert "language fi, Snowball stems" in call("inspect", tmp_path / "m").out
    done = call("train", documents, "--out", tmp_path / "n", "--vectorizer", "hashing", "--language", "fi")
    assert done.code == 2
    assert "--language" in done.err
