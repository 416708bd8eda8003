"""Corpora of Annif: found by their content, read, written and read again."""

import gzip
import io
import json

import pytest

from ramify.data import Fields, convert, read, read_texts
from ramify.errors import InputError

TSV = "Apples in rows\t<http://x/1> <http://x/2>\n\nPears\t<http://x/2>\nNothing\t\n"
CSV = 'document_id,text,subject_uris,note\na,"Apples, in rows",<http://x/1> <http://x/2>,n\nb,Pears,http://x/2,\nc,Nothing,,\n'


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def labels(dataset):
    return [dataset.labels_of(row) for row in range(len(dataset))]


EXPECTED = [["http://x/1", "http://x/2"], ["http://x/2"], []]


@pytest.mark.parametrize("name", ["c.tsv", "c.tsv.gz"])
def test_tsv_lines_are_a_text_and_uris(tmp_path, name):
    path = written(tmp_path, name, TSV)
    dataset = read(path)
    assert labels(dataset) == EXPECTED
    assert list(dataset.texts) == ["Apples in rows", "Pears", "Nothing"]
    assert [one.text for one in read_texts(path)] == ["Apples in rows", "Pears", "Nothing"]


def test_uris_without_brackets_are_found_too(tmp_path):
    assert labels(read(written(tmp_path, "c.tsv", "Apples\thttp://x/1 urn:x:2\n"))) == [["http://x/1", "urn:x:2"]]


def test_csv_has_subject_uris_and_ids(tmp_path):
    path = written(tmp_path, "c.csv", CSV)
    dataset = read(path)
    assert labels(dataset) == EXPECTED
    assert list(dataset.texts) == ["Apples, in rows", "Pears", "Nothing"]
    assert list(dataset.ids) == ["a", "b", "c"]
    assert [one.id for one in read_texts(path)] == ["a", "b", "c"]
    assert convert(path, tmp_path / "c.jsonl") == ("note",)


def test_json_lines_have_subjects(tmp_path):
    records = [
        {"document_id": "a", "text": "Apples", "subjects": [{"uri": "http://x/1", "label": "n"}, {"label": "Pears"}]},
        {"text": "Nothing", "subjects": [], "metadata": {"note": "n"}},
    ]
    path = written(tmp_path, "c.jsonl.gz", "".join(json.dumps(record) + "\n" for record in records))
    dataset = read(path)
    assert labels(dataset) == [["Pears", "http://x/1"], []]
    assert list(dataset.ids) == ["a", None]
    assert [one.id for one in read_texts(path)] == ["a", None]
    wrong = written(
        tmp_path, "d.jsonl", '{"text": "a", "subjects": [{"uri": "u:1"}]}\n{"text": "a", "subjects": [{}, 1.5]}\n'
    )
    with pytest.raises(InputError, match=r"d\.jsonl:2: the label \{\} must be"):
        read(wrong)


def test_folders_have_a_text_and_subjects_per_document(tmp_path):
    written(tmp_path, "a.txt", "Apples\nin rows")
    written(tmp_path, "a.tsv", "<http://x/1>\tApples\n<http://x/2>\tPears\n")
    written(tmp_path, "b.txt", "Pears")
    written(tmp_path, "b.key", "http://x/2\n\n")
    written(tmp_path, "c.txt", "Nothing")
    dataset = read(tmp_path)
    assert labels(dataset) == EXPECTED
    assert list(dataset.texts) == ["Apples\nin rows", "Pears", "Nothing"]
    assert list(dataset.ids) == ["a", "b", "c"]
    with pytest.raises(InputError, match="only read"):
        convert(written(tmp_path, "d.tsv", TSV), tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.tsv", "text\tlabels\nApples\thttp://x/1|http://x/2\n"),
        ("t.tsv", "labels\ttext\nhttp://x/1|http://x/2\tApples\n"),
        ("t.csv", "text,labels,document_id\nApples,http://x/1|http://x/2,d\n"),
        ("t.jsonl", '{"text": "Apples", "labels": ["http://x/1", "http://x/2"], "subjects": [{"uri": "u:1"}]}\n'),
        ("t.csv", "text,labels,subject_uris\nApples,http://x/1|http://x/2,http://x/3\n"),
    ],
)
def test_files_with_a_header_of_the_fields_are_tables_as_before(tmp_path, name, text):
    dataset = read(written(tmp_path, name, text))
    assert list(dataset.texts) == ["Apples"]
    assert labels(dataset) == [["http://x/1", "http://x/2"]]
    assert dataset.ids is None


def test_a_corpus_of_a_stream_is_no_corpus():
    with pytest.raises(InputError, match="field 'text' is missing"):
        list(read_texts(io.BytesIO(TSV.encode()), stream_format=".tsv"))


def test_a_line_without_a_tab_is_refused_with_its_number(tmp_path):
    path = written(tmp_path, "c.tsv", TSV + "no tab\n")
    with pytest.raises(InputError, match=r"c\.tsv:5: has no tab"):
        read(path)


@pytest.mark.parametrize("name", ["o.tsv", "o.tsv.gz", "o.csv", "o.jsonl.gz"])
def test_written_corpora_are_read_again(tmp_path, name):
    source = written(tmp_path, "c.csv", CSV.replace("Apples, in", "Apples,\tin"))
    convert(source, tmp_path / name, target_fields=Fields(annif=True))
    again = read(tmp_path / name)
    assert labels(again) == EXPECTED
    assert again.texts[0] == ("Apples, in rows" if name.startswith("o.tsv") else "Apples,\tin rows")
    assert again.ids == (None if name.startswith("o.tsv") else ["a", "b", "c"])


def test_a_written_tsv_is_the_one_of_annif(tmp_path):
    convert(written(tmp_path, "c.csv", CSV), tmp_path / "o.tsv", target_fields=Fields(annif=True))
    assert (tmp_path / "o.tsv").read_text().splitlines()[0] == "Apples, in rows\t<http://x/1> <http://x/2>"


def test_names_are_no_uris(tmp_path):
    source = written(tmp_path, "c.csv", "text,labels\nApples,Red fruit\n")
    with pytest.raises(InputError, match="the label 'Red fruit' is no URI"):
        convert(source, tmp_path / "o.tsv", target_fields=Fields(annif=True))
    with pytest.raises(InputError, match=r"extension is \.parquet"):
        convert(written(tmp_path, "d.tsv", TSV), tmp_path / "o.parquet", target_fields=Fields(annif=True))
    assert not (tmp_path / "o.tsv").exists()


def test_names_become_uris_by_the_vocabulary(tmp_path):
    source = written(tmp_path, "c.csv", "text,labels\nApples,omenat|P\nPears,<u:2>\n")
    vocabulary = written(
        tmp_path, "v.csv", "uri,notation,label_en,label_fi\nu:1,A,Apples,omenat\nu:2,P,Pears,\nu:3,,,x\n"
    )
    fields = Fields(vocabulary_path=vocabulary, language="fi")
    dataset = read(source, fields=fields)
    assert dataset.label_names == ["omenat", "u:2", "x"]
    assert dataset.label_keys == ["u:1", "u:2", "u:3"]
    assert labels(dataset) == [["omenat", "u:2"], ["u:2"]]
    assert len(dataset.vocabulary) == 3
    convert(source, tmp_path / "o.tsv", fields=fields, target_fields=Fields(annif=True))
    assert (tmp_path / "o.tsv").read_text() == "Apples\t<u:1> <u:2>\nPears\t<u:2>\n"
