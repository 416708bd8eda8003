"""Vocabularies: what is read from each format, and what is refused."""

import gzip
import sys

import numpy as np
import pytest

from ramify.data import read_vocabulary
from ramify.data.skos import vocabulary_of_graph
from ramify.errors import DataFileError, InputError, MissingExtraError
from ramify.values import Groups, Vocabulary

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
TURTLE = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix x: <http://example.org/> .
x:scheme a skos:ConceptScheme ; skos:prefLabel "Fruit"@en .
x:apple a skos:Concept ; skos:prefLabel "Apples"@en, "omenat"@fi ; skos:altLabel "Apple tree"@en, "Cox"@en ;
  skos:hiddenLabel "aple"@en ; skos:notation "634.11" ; skos:broader x:fruit ; skos:related x:cider .
x:fruit a skos:Concept ; skos:prefLabel "Fruit"@en ; skos:narrower x:pear .
x:pear a skos:Concept ; rdfs:label "Pears"@en .
x:cider a skos:Concept ; skos:prefLabel "Cider"@en .
x:old a skos:Concept ; skos:prefLabel "Apples and pears"@en ; owl:deprecated true .
"""
URIS = [f"http://example.org/{name}" for name in ("apple", "cider", "fruit", "old", "pear")]


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["v.ttl", "v.ttl.gz", "v.rdf", "v.nt"])
def test_skos_is_read_from_every_format(tmp_path, name):
    rdflib = pytest.importorskip("rdflib")
    text = TURTLE
    if not name.startswith("v.ttl"):
        text = rdflib.Graph().parse(data=TURTLE).serialize(format={"v.rdf": "pretty-xml", "v.nt": "nt"}[name])
    one = read_vocabulary(written(tmp_path, name, text))
    assert list(one.uris) == URIS
    assert one.languages == ["en", "fi"]
    assert one.names_in("en") == ["Apples", "Cider", "Fruit", "Apples and pears", "Pears"]
    assert one.names_in("fi") == ["omenat", "", "", "", ""]
    assert sorted(one.alternatives_in("en")[0]) == ["Apple tree", "Cox", "aple"]
    assert one.alternatives_in("en")[1:] == [()] * 4
    assert one.notations == ["634.11", "", "", "", ""]
    assert one.broader.tolist() == [[0, 2], [4, 2]]
    assert one.related.tolist() == [[0, 1]]
    assert one.deprecated.tolist() == [False, False, False, True, False]


def test_csv_has_names_in_several_languages(tmp_path):
    text = (
        "uri,notation,label_en,label_fi,alternative_en\n<http://x/1>,A,Apples,omenat,Cox|Apple tree\nhttp://x/2,,,,\n"
    )
    one = read_vocabulary(written(tmp_path, "v.csv", text))
    assert list(one.uris) == ["http://x/1", "http://x/2"]
    assert (one.names_in("en"), one.names_in("fi")) == (["Apples", ""], ["omenat", ""])
    assert one.alternatives_in("en") == [("Cox", "Apple tree"), ()]
    assert one.notations == ["A", ""]
    assert one.deprecated.tolist() == [False, True]


def test_tsv_has_names_without_a_language(tmp_path):
    one = read_vocabulary(written(tmp_path, "v.tsv.gz", "<http://x/1>\tApples\tA\n\n<http://x/2>\tPears\n"))
    assert list(one.uris) == ["http://x/1", "http://x/2"]
    assert one.languages == []
    assert one.names_in() == one.names_in("fi") == ["Apples", "Pears"]
    assert one.notations == ["A", ""]


@pytest.mark.parametrize(
    ("name", "text", "line", "problem"),
    [
        ("v.csv", "uri,notation\nhttp://x/1,A\n", 1, "no column of names"),
        ("v.csv", "uri,label_en\n", None, "no concepts"),
        ("v.csv", "uri,label_en\n,Apples\n", 2, "no URI"),
        (
            "v.csv",
            "uri,notation,label_en\nhttp://x/1,A,Apples\nhttp://x/2,A,Pears\n",
            3,
            "notation 'A' is that of line 2",
        ),
        ("v.csv", "uri,label_en\nhttp://x/1,Apples\n\nhttp://x/1,Pears\n", 4, "is that of line 2"),
        ("v.tsv", "<http://x/1>\tApples\nuri\tname\n", 2, "'uri' is no URI"),
        ("v.ttl", "@prefix x: <http://x/> .\n\nx:a x:b ;;; . x:c\n", 3, "not valid Turtle"),
        (
            "v.rdf",
            f"<rdf:RDF {RDF}>\n<a>\n</rdf:RDF>",
            3,
            "not valid XML",
        ),
        ("v.ttl", "@prefix x: <http://x/> .\nx:a x:b x:c .\n", None, "no skos:Concept"),
        ("v.json", "{}", None, "'.json' is not that of a vocabulary"),
    ],
)
def test_bad_vocabularies_get_one_sentence_with_the_line(tmp_path, name, text, line, problem):
    if name.endswith((".ttl", ".rdf")):
        pytest.importorskip("rdflib")
    path = written(tmp_path, name, text)
    with pytest.raises(DataFileError) as caught:
        read_vocabulary(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert problem in message
    assert "\n" not in message


def test_rdf_elements_out_of_place_are_named_with_their_line(tmp_path):
    pytest.importorskip("rdflib")
    text = f'<rdf:RDF {RDF} xmlns:x="http://x/">\n<x:a rdf:li="1"/>\n</rdf:RDF>'
    path = written(tmp_path, "v.rdf", text)
    with pytest.raises(DataFileError, match=r"v\.rdf:2: is not valid RDF/XML"):
        read_vocabulary(path)


def test_a_graph_gives_the_concepts_in_a_wanted_order():
    rdflib = pytest.importorskip("rdflib")
    one = vocabulary_of_graph(rdflib.Graph().parse(data=TURTLE), [URIS[2], "http://example.org/new", URIS[0]])
    assert one.names_in("en") == ["Fruit", "", "Apples"]
    assert one.alternatives_in("en")[2] == ("Apple tree", "Cox", "aple")
    assert one.broader.tolist() == [[2, 0]]
    assert one.notations is None


def test_the_first_preferred_name_goes_before_others_and_before_labels(tmp_path):
    pytest.importorskip("rdflib")
    text = TURTLE + 'x:fruit skos:prefLabel "Fruits"@en . x:apple rdfs:label "Apple label"@en, "äpple"@sv .\n'
    one = read_vocabulary(written(tmp_path, "v.ttl", text))
    assert one.names_in("en")[:3] == ["Apples", "Cider", "Fruit"]
    assert one.names_in("sv")[0] == "äpple"


def test_names_without_a_language_stand_in_for_those_of_any(tmp_path):
    names = {"en": ["Apples", "", ""], "": ["malus", "pyrus", ""]}
    one = vocabulary(names=names, alternatives={"": Groups.of([["a"], [], []]), "en": Groups.of([["b"], ["c"], []])})
    assert one.names_in("en") == ["Apples", "pyrus", ""]
    assert one.alternatives_in("en") == [("b", "a"), ("c",), ()]


def test_notations_that_annif_writes_for_none_are_none(tmp_path):
    pytest.importorskip("rdflib")
    text = TURTLE + 'x:cider skos:notation "None" .\nx:pear skos:notation "None" .\n'
    assert read_vocabulary(written(tmp_path, "v.ttl", text)).notations == ["634.11", "", "", "", ""]


def test_a_repeated_notation_of_skos_names_the_file(tmp_path):
    pytest.importorskip("rdflib")
    path = written(tmp_path, "v.ttl", TURTLE + 'x:cider skos:notation "634.11" .\n')
    with pytest.raises(DataFileError, match=r"v\.ttl: two concepts have the notation '634\.11'"):
        read_vocabulary(path)


def test_skos_needs_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(MissingExtraError, match=r"ramify\[annif\]"):
        read_vocabulary(written(tmp_path, "v.ttl", TURTLE))


def test_progress_of_rdf_xml_is_the_share_of_bytes(tmp_path):
    pytest.importorskip("rdflib")
    concept = '<s:Concept rdf:about="http://x/{}"><s:prefLabel>name {}</s:prefLabel></s:Concept>\n'
    head = f'<rdf:RDF {RDF} xmlns:s="http://www.w3.org/2004/02/skos/core#">'
    text = head + "".join(concept.format(i, "x" * 20_000) for i in range(150)) + "</rdf:RDF>"
    shares = []
    read_vocabulary(written(tmp_path, "v.rdf", text), progress=lambda stage, done: shares.append((stage, done)))
    assert len(shares) >= 2
    assert shares == sorted(shares)
    assert {stage for stage, _ in shares} == {"vocabulary"}
    assert 0 < shares[0][1] < 1


def vocabulary(**fields):
    return Vocabulary(
        **{
            "uris": ["u:0", "u:1", "u:2"],
            "names": {"en": ["Apples", "Pears", "Fruit"], "fi": ["omenat", "", "Fruit"]},
            "alternatives": {"en": Groups.of([["Cox"], [], ["Fruits"]])},
            "notations": ["A", "", "F"],
            "broader": np.array([[0, 2], [1, 2]], np.int32),
            "related": np.array([[0, 1]], np.int32),
            "deprecated": np.array([False, True, False]),
        }
        | fields
    )


def test_taken_concepts_keep_relations_among_them():
    part = vocabulary().take(np.array([2, 0]))
    assert part.uris == ["u:2", "u:0"]
    assert part.names == {"en": ["Fruit", "Apples"], "fi": ["Fruit", "omenat"]}
    assert part.alternatives_in("en") == [("Fruits",), ("Cox",)]
    assert part.notations == ["F", "A"]
    assert part.broader.tolist() == [[1, 0]]
    assert part.related.tolist() == []
    assert part.deprecated.tolist() == [False, False]


def test_concepts_are_found_by_uri_notation_and_unambiguous_name():
    one = vocabulary(
        notations=["u:2", "", "F"], names={"en": ["Apples", "Pears", "Pears"], "fi": ["omenat", "", "Apples"]}
    )
    assert one.by_identifier == {"u:0": 0, "u:1": 1, "u:2": 2, "F": 2}
    assert one.by_name == {"omenat": 0}


def test_a_language_without_names_is_refused():
    with pytest.raises(InputError, match="no names in 'sv': it has names in en, fi"):
        vocabulary().names_in("sv")
    with pytest.raises(InputError, match="names in en, fi: choose one"):
        vocabulary().names_in()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"uris": ["u:0", "u:1", "u:0"]}, "two concepts have the URI 'u:0'"),
        ({"uris": ["u:0", "", "u:1"]}, "no URI"),
        ({"notations": ["A", "A", ""]}, "two concepts have the notation 'A'"),
        ({"names": {"en": ["Apples"]}}, "1 names in 'en' for 3 concepts"),
        ({"deprecated": np.zeros(2, bool)}, "2 deprecated for 3 concepts"),
        ({"broader": np.array([[0, 3]], np.int32)}, "broader contains numbers"),
        ({"related": np.array([[0, 1]], np.int64)}, "related must be an int32 array"),
        ({"uris": [], "names": {}}, "no concepts"),
    ],
)
def test_wrong_vocabularies_are_refused(fields, problem):
    with pytest.raises(InputError, match=problem):
        vocabulary(**fields)
