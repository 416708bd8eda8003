"""Language, stems and n-grams that Tfidf chooses for a corpus."""

import importlib
import json
import pickle
import sys

import numpy as np
import pytest

from ramify import Hashing, Tagger, Tfidf, XRLinear
from ramify.errors import InputError, ModelFileError, RamifyError
from ramify.features import languages, plan, stored_stems
from ramify.features.languages import CODES, STEMMERS, Detection, detect, mixture_shares, snowball
from ramify.features.plan import TextPlan, choose_plan
from ramify.features.scripts import advice_on_scripts

TEXTS = {
    "en": [
        "The history of the old bridge across the river and the people who built it",
        "How to grow vegetables in a small garden without much water",
        "A guide to the birds that live along the coast in winter",
        "What the members of the council decided about the new school",
        "Letters from a soldier to his mother during the war",
        "The price of bread and the wages of workers in the last century",
    ],
    "fi": [
        "Vanhan sillan historia ja ihmiset jotka sen rakensivat",
        "Kuinka kasvattaa vihanneksia pienessä puutarhassa ilman paljon vettä",
        "Opas lintuihin jotka elävät talvella rannikolla",
        "Mitä valtuuston jäsenet päättivät uudesta koulusta",
        "Sotilaan kirjeitä äidilleen sodan aikana",
        "Leivän hinta ja työläisten palkat viime vuosisadalla",
    ],
    "de": [
        "Die Geschichte der alten Brücke über den Fluss und die Menschen, die sie gebaut haben",
        "Wie man in einem kleinen Garten ohne viel Wasser Gemüse anbaut",
        "Ein Führer zu den Vögeln, die im Winter an der Küste leben",
        "Was die Mitglieder des Rates über die neue Schule beschlossen haben",
        "Briefe eines Soldaten an seine Mutter während des Krieges",
        "Der Preis des Brotes und die Löhne der Arbeiter im letzten Jahrhundert",
    ],
    "fr": [
        "L'histoire du vieux pont sur la rivière et les gens qui l'ont construit",
        "Comment cultiver des légumes dans un petit jardin sans beaucoup d'eau",
        "Un guide des oiseaux qui vivent le long de la côte en hiver",
        "Ce que les membres du conseil ont décidé à propos de la nouvelle école",
        "Lettres d'un soldat à sa mère pendant la guerre",
        "Le prix du pain et les salaires des ouvriers au siècle dernier",
    ],
}
LONG = [" ".join(TEXTS["en"]) * 2] * 4


def corpus(language, times=5):
    return TEXTS[language] * times


@pytest.mark.parametrize("language", TEXTS)
def test_the_language_of_titles_is_detected(language):
    found = detect(corpus(language))
    assert found.language == language
    assert found.shares[language] > 0.9
    assert detect(corpus(language)) == found


@pytest.mark.parametrize(
    ("texts", "largest"),
    [
        (TEXTS["en"][:3], None),
        (["1234 5678"] * 1000, None),
        ([], None),
        (corpus("en", 5) + corpus("fr", 4), "en"),
        (corpus("de", 3) + corpus("fi", 3) + corpus("fr", 4), "fr"),
    ],
)
def test_small_and_mixed_corpora_have_no_language(texts, largest):
    found = detect(texts)
    assert found.language is None
    assert next(iter(found.shares), None) == largest


def test_texts_without_letters_have_no_vote():
    assert detect(["\ud800 \udfff", "1899"] * 250 + corpus("fi")).shares == {"fi": 1.0}


def test_shares_of_a_mixture_maximize_the_likelihood():
    likelihoods = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    shares = mixture_shares(np.log(likelihoods), rounds=500)
    grid = np.linspace(0.001, 0.999, 999)
    totals = np.log(likelihoods @ np.stack([grid, 1 - grid])).sum(axis=0)
    assert shares[0] == pytest.approx(grid[totals.argmax()], abs=2e-3)
    assert shares.sum() == pytest.approx(1)


def test_every_stemmer_exists_and_its_code_is_one_of_iso_639():
    assert STEMMERS.keys() <= CODES
    assert len(CODES) == 183
    for language in STEMMERS:
        assert len(snowball(language)(["abc"])) == 1


def test_words_that_snowball_does_not_take_stay():
    odd = ["\ud800abc", "x" * 65, "ing" * 1000, ""]
    assert snowball("en")(odd) == odd


@pytest.mark.parametrize(
    ("texts", "given", "wanted"),
    [
        (corpus("fi", 20), {}, {"language": "fi", "stemmer": "snowball", "characters": (4, 4), "min_df": 1}),
        (corpus("fi", 10), {}, {"language": "fi", "stemmer": "snowball", "characters": None, "min_df": 1}),
        (corpus("fi", 2000), {}, {"stemmer": "snowball", "characters": None, "min_df": 1}),
        (LONG, {}, {"language": "en", "stemmer": "snowball", "characters": None, "min_df": 2, "runs": None}),
        (LONG * 40, {"stemmer": None}, {"language": "en", "stemmer": None, "characters": (4, 4), "min_df": 2}),
        (LONG * 40, {"language": None}, {"language": None, "share": None, "stemmer": None, "characters": (4, 4)}),
        (LONG * 40, {"language": "uk"}, {"language": "uk", "share": None, "stemmer": None, "characters": (4, 4)}),
        (LONG, {"words": (1, 2), "min_df": 5}, {"words": (1, 2), "min_df": 5}),
        (LONG, {"characters": (2, 3)}, {"characters": (2, 3), "words": (1, 1)}),
        (LONG, {"words": None}, {"words": None, "characters": (3, 5), "stemmer": None}),
        (["日本語の本"] * 9, {}, {"runs": (1, 3), "words": (1, 1)}),
        (["日本語の本"] * 9, {"runs": None}, {"runs": None}),
        ([*LONG, "日本"], {}, {"runs": None}),
        ([], {}, {"language": None, "words": (1, 1), "characters": None}),
    ],
)  # fmt: skip
def test_the_rule(texts, given, wanted):
    settings = {"words": "auto", "characters": "auto", "runs": "auto", "language": "auto", "stemmer": "auto"} | given
    grams = {name: settings[name] for name in ("words", "characters", "runs")}
    found = choose_plan(
        texts,
        language=settings["language"],
        stemmer=settings["stemmer"],
        grams=grams,
        min_df=given.get("min_df", "auto"),
    ).as_dict()
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "finnish"}, r"language is 'finnish', but must be .*: did you mean 'fi'\?"),
        ({"language": "fl"}, "'fl', but must be None, 'auto' or a two-letter code of ISO 639-1 such as 'fi'"),
        ({"language": 7}, "language is 7"),
        ({"stemmer": "porter"}, "stemmer is 'porter', but must be one of auto, snowball or None"),
        ({"words": "all"}, "words is 'all', but must be 'auto' or two whole numbers"),
        ({"runs": (3, 1)}, r"runs is \(3, 1\)"),
        ({"min_df": "few"}, "min_df is 'few', but must be 'auto' or a whole number"),
        ({"stemmer": "snowball"}, "but no language was detected .too few texts.: set language to"),
        ({"stemmer": "snowball", "language": None}, "stemmer is 'snowball', but language is None: set language"),
        ({"stemmer": "snowball", "language": "uk"}, "no stemmer for the language 'uk': set stemmer to None"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(InputError, match=message):
        Tfidf(**settings).fit(["water rights"])


def test_inflected_words_are_one_feature_in_training_and_prediction():
    fitted = Tfidf(language="fi", characters=None, threads=2)
    X = fitted.fit_transform(["talossa on katto", "talosta näkee kadun"])
    assert "talo" in list(fitted.vocabulary_)
    talo = list(fitted.vocabulary_).index("talo")
    assert X[:, talo].nnz == 2
    assert fitted.transform(["talojen talolle"])[:, talo].nnz == 1
    assert talo in fitted.transform_one("TALOILLA")[0]
    assert (fitted.transform(["talossa on katto", "talosta näkee kadun"]) != X).nnz == 0
    assert Tfidf(language="fi", stemmer=None).fit(["talossa", "talosta"]).transform(["talojen"]).nnz == 0


def test_pairs_of_words_are_pairs_of_stems():
    fitted = Tfidf(language="en", words=(1, 2), characters=None).fit(["running dogs", "a run of the dog"])
    assert list(fitted.vocabulary_) == ["dog", "of", "of the", "run", "run dog", "run of", "the", "the dog"]


def test_state_goes_through_files_and_pickles():
    texts = corpus("fi")
    fitted = Tfidf(threads=1)
    X = fitted.fit_transform(texts)
    config, arrays = fitted.to_state()
    opened = Tfidf.from_state(json.loads(json.dumps(config)), arrays)
    for twin in (opened, pickle.loads(pickle.dumps(fitted))):
        assert twin.plan_ == fitted.plan_
        assert (twin.transform(texts) != X).nnz == 0
        assert twin.transform_one(texts[0])[1].tobytes() == X[0].data.tobytes()
    again, same = opened.to_state()
    assert again == config
    assert {name: array.tobytes() for name, array in same.items()} == {n: a.tobytes() for n, a in arrays.items()}


def test_only_the_most_frequent_words_are_kept(monkeypatch):
    monkeypatch.setattr(importlib.import_module("ramify.kernels.text"), "MOST_KNOWN_WORDS", 3)
    fitted = Tfidf(language="en").fit(["zebras tables tables cats", "cats dogs apples"])
    assert list(fitted._known_words) == ["apples", "cats", "tables"]
    assert fitted.transform_one("table")[0].tolist() == [list(fitted.vocabulary_).index("tabl")]


def test_other_stems_than_at_training_are_an_error(monkeypatch):
    config, arrays = Tfidf(language="en").fit(["water rights", "tax credits"]).to_state()
    monkeypatch.setattr(stored_stems, "snowball", lambda language: lambda words: [word[:2] for word in words])
    with pytest.raises(
        ModelFileError, match=r"was trained with PyStemmer '.*', which stems 'credits' to 'credit', but"
    ):
        Tfidf.from_state(config, arrays)


@pytest.mark.parametrize(("module", "package"), [("Stemmer", "PyStemmer"), ("py3langid.langid", "py3langid")])
def test_a_missing_package_is_one_sentence(module, package, monkeypatch, tmp_path):
    tagger = Tagger(XRLinear(threads=1)).fit(corpus("en"), [[str(i % 3)] for i in range(30)])
    tagger.save(tmp_path / "model")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RamifyError, match=rf"need the package {package}: pip install {package}$") as error:
        Tfidf().fit(corpus("en"))
    assert "\n" not in str(error.value)
    if module == "Stemmer":
        import ramify

        with pytest.raises(RamifyError, match=rf"^stems need the package {package}"):
            ramify.load(tmp_path / "model")


@pytest.mark.parametrize(
    "harm",
    [
        {"language": "xyzw"},
        {"language": 7},
        {"language": None},
        {"language": "uk"},
        {"stemmer": "porter"},
        {"words": (3, 1)},
        {"words": None, "characters": None},
        {"words": 7},
        {"runs": [0, 2]},
        {"min_df": -1},
        {"more": 1},
    ],
)
def test_damaged_plans(harm):
    config, arrays = Tfidf(language="en").fit(["water rights", "tax credits"]).to_state()
    with pytest.raises(ModelFileError, match="the saved tf-idf is damaged"):
        Tfidf.from_state(config | {"plan": config["plan"] | harm}, arrays)


@pytest.mark.parametrize("name", ["known_words/blob", "known_words/offsets", "known_stems/blob", "known_stems/offsets"])
@pytest.mark.parametrize("harm", [lambda a: a[:-1], lambda a: a.astype(np.float64), lambda a: None])
def test_damaged_words(name, harm):
    config, arrays = Tfidf(language="en").fit(["water rights", "tax credits"]).to_state()
    with pytest.raises(ModelFileError):
        Tfidf.from_state(config, arrays | {name: harm(arrays[name])})


SCRIPTS = {
    "chinese": (["图书馆的历史", "水库和河流", "税收法律"], "在图书馆里", 0),
    "japanese": (["図書館の歴史について", "川とダムの水", "税金のしくみ"], "新しい図書館", 0),
    "thai": (["ประวัติห้องสมุด", "แม่น้ำและเขื่อน", "กฎหมายภาษี"], "ในห้องสมุดใหม่", 0),
    "hindi": (["पुस्तकालय का इतिहास", "नदी और बाँध", "कर कानून"], "नदियाँ", 1),
    "mixed": (["Linux入門 server", "水質検査 water", "税金 tax"], "水質 about", 1),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_without_blanks(name):
    texts, query, best = SCRIPTS[name]
    tagger = Tagger(XRLinear(threads=1)).fit(texts * 3, [["a"], ["b"], ["c"]] * 3)
    assert tagger.vectorizer_.plan_.runs == (1, 3)
    assert tagger.tag([query], k=1)[0][0][0] == "abc"[best]
    assert advice_on_scripts(texts, tagger.vectorizer_) is None
    X = tagger.vectorizer_.transform(texts)
    for row, text in enumerate(texts):
        assert tagger.vectorizer_.transform_one(text)[1].tobytes() == X[row].data.tobytes()


def test_words_of_other_scripts_keep_their_runs_apart():
    fitted = Tfidf(min_df=1, runs=(2, 2), characters=None).fit(["Linux入門server、漢字 tax"])
    assert list(fitted.vocabulary_) == ["linux", "server", "tax", "入門", "漢字"]
    assert fitted._columns.n_words == 3


def test_hashing_has_no_stems():
    with pytest.raises(TypeError, match="language"):
        Hashing(language="fi")


def test_the_description_is_one_line():
    chosen = TextPlan(language="fi", share=0.98, stemmer="snowball", words=(1, 1), characters=(4, 4), min_df=1)
    assert chosen.describe() == (
        "language fi (share 0.98 of the sample), Snowball stems, single words, 4 characters, in at least 1 text"
    )
    unknown = TextPlan(words=(1, 2), characters=None, runs=(1, 3), min_df=0.1)
    assert unknown.describe() == (
        "language unknown, no stems, 1-2 words, 1-3 characters of runs, in at least 10.00% of the texts"
    )


def test_the_detection_gives_the_largest_share_only_above_the_limit():
    assert Detection({"fi": languages.SMALLEST_SHARE}).language == "fi"
    assert Detection({"fi": 0.74, "sv": 0.26}).language is None
    assert plan.SHORT_TEXT == 400
