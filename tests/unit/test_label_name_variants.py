"""Label names that differ only in case, spacing or number are found, and few others."""

from __future__ import annotations

import numpy as np
import pytest

from ramify.health.label_names import similar_names, singular


def groups(names):
    found = similar_names(names, np.arange(len(names), 0, -1))
    return {one.names: one.kind for one in found}


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["Fishing", "fishing"], "case"),
        (["STRASSE", "straße"], "case"),
        (["Water  pollution", "Water pollution"], "spacing"),
        (["Database", "Data base"], "spacing"),
        (["e-mail", "Email"], "spacing"),
        (["Cafe\u0301", "Caf\u00e9"], "spacing"),
        (["Tax", "Taxes"], "plural"),
        (["Library", "libraries"], "plural"),
        (["Churches -- England", "Church -- England"], "plural"),
        (["Hero", "Heroes"], "plural"),
        (["School library", "school Libraries", "School-library"], "plural"),
    ],
    ids=str,
)
def test_variants_are_found_with_their_documents(names, kind):
    found = groups(["Rivers and lakes", *names, "Economics", "History, 1939-1945"])
    assert found == {tuple((name, len(names) + 2 - i) for i, name in enumerate(names)): kind}


@pytest.mark.parametrize(
    "names",
    [
        ["Glass", "Glas"],
        ["Virus", "Viru"],
        ["Physics", "Physiology"],
        ["Chapter 1-2", "Chapter 12"],
        ["Women -- History", "Womenhistory"],
        ["Universe", "University"],
        ["gas", "ga"],
        [],
        ["one"],
        ["", " "],
    ],
    ids=str,
)
def test_other_names_are_not(names):
    assert not [one for one in groups(names) if "" not in dict(one)]


def test_plurals_of_other_languages_need_one_stem_and_a_plural_ending():
    finnish = (
        "kirjastot lukeminen tietokoneet yliopistot kaupungit järvien kalat metsänhoito ympäristönsuojelu koulutus"
    )
    names = [f"{word} {other}" for word in finnish.split() for other in finnish.split() if word != other]
    found = groups([*names, "kirja", "kirjat", "kirjoissa", "kirjasto", "lukija", "lukijat", "lukea"])
    kinds = {tuple(name for name, _ in one): kind for one, kind in found.items()}
    assert kinds == {("kirja", "kirjat"): "plural", ("lukija", "lukijat"): "plural"}


@pytest.mark.parametrize(
    ("plural", "wanted"),
    [
        *[("taxes", "tax"), ("bushes", "bush"), ("classes", "class"), ("houses", "house"), ("cities", "city")],
        *[("boys", "boy"), ("bus", "bus"), ("gas", "gas"), ("glass", "glass"), ("bees", "bees"), ("water", "water")],
    ],
)
def test_the_singular_of_regular_plurals(plural, wanted):
    assert singular(plural) == wanted


def test_the_order_is_that_of_the_documents_at_stake():
    found = similar_names(["a1x", "A1x", "b1x", "B1x"], np.array([100, 2, 30, 20]))
    assert [one.names[0][0] for one in found] == ["b1x", "a1x"]
