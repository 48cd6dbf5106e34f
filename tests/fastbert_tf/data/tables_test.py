"""Tests of reading labelled files and of what they refuse."""

import json

import pytest

from fastbert_tf.data.tables import TableReader, read_labels


@pytest.fixture
def file(tmp_path):
    def write(content, name="train.tsv"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(data)
        return path

    return write


def fields(path, max_bad_rows=0, bad_rows_path=None, **options):
    rows = TableReader(path, **options).rows(max_bad_rows, bad_rows_path)
    return [row[1:4] for row in rows]


def test_columns_may_come_in_any_order(file):
    path = file("text_b\tid\tlabel\ttext_a\nb\t7\t1\ta\n")
    assert fields(path) == [("1", "a", "b")]


def test_tsv_quotes_are_text(file):
    path = file('label\ttext_a\n0\t"a, ""b\n1\t\'c"\n')
    assert fields(path) == [("0", '"a, ""b', None), ("1", "'c\"", None)]


def test_csv_fields_may_hold_commas_quotes_and_line_breaks(file):
    content = 'label,text_a\r\n0,"a, ""b""\nc"\r\n"1",d\r\n'
    path = file(content, "train.csv")
    rows = list(TableReader(path).rows())
    assert [row[1:3] for row in rows] == [("0", 'a, "b"\nc'), ("1", "d")]
    assert [row.line for row in rows] == [2, 4]


def test_jsonl_labels_may_be_integers_or_names(file):
    lines = [{"label": 0, "text_a": "a"}, {"text_a": "b\n", "label": "x"}]
    path = file("\n".join(map(json.dumps, lines)), "train.jsonl")
    assert fields(path) == [("0", "a", None), ("x", "b\n", None)]


def test_byte_order_mark_and_crlf_are_accepted(file):
    path = file(b"\xef\xbb\xbflabel\ttext_a\r\n0\ta b\r\n")
    assert fields(path) == [("0", "a b", None)]


def test_blank_texts_are_rows(file):
    path = file("label\ttext_a\n0\t\n1\t  \n")
    assert fields(path) == [("0", "", None), ("1", "  ", None)]


def test_one_row_and_no_last_line_feed_are_accepted(file):
    assert fields(file("label\ttext_a\n0\ta")) == [("0", "a", None)]


def test_other_line_separators_are_text(file):
    text = "a\u2028b\x0bc\x85d\re"
    assert fields(file(f"label\ttext_a\n0\t{text}\n"))[0][1] == text


def test_unlabelled_files_need_only_texts(file):
    path = file("text_a\na\n\n")
    rows = fields(path, labelled=False)
    assert rows == [(None, "a", None), (None, "", None)]


def test_format_may_be_given(file):
    path = file("label\ttext_a\n0\ta\n", "train.txt")
    assert fields(path, format="tsv") == [("0", "a", None)]
    with pytest.raises(ValueError, match="Received: 'txt'"):
        fields(path)


def test_place_in_bytes_finds_the_row_again(file):
    path = file('label,text_a\n0,"é\n"\n1,b\n', "train.csv")
    data = path.read_bytes()
    rows = TableReader(path).rows()
    found = [data[row.start : row.start + row.size] for row in rows]
    assert found == ['0,"é\n"\n'.encode(), b"1,b\n"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty file, expected a header"),
        ("label\ttext_a\n", "0 rows"),
        ("text_a\n0\n", r"line 1: .*expected \['label'\] as well"),
        ("0\ta b\n1\tc\n", r"line 1: .*'0', 'a b'.*'text_a', 'label'"),
        ("label\tlabel\ttext_a\n", "line 1: .*'label' 2 times"),
        ("label\tText_A\n", "line 1: .*column 'Text_A'"),
        ("label\ttext_a\t\n", "line 1: .*column ''"),
        ("label,text_a\n0,a\n", "line 1: .*parted by ','.*expected '\\\\t'"),
        ("label text_a\n0 a\n", "line 1: .*parted by ' '"),
        ("label\ttext_a\n0\ta\n1\n", "line 3: received 1 fields, expected 2"),
        ("label\ttext_a\n0\ta\tb\n", "line 2: received 3 fields"),
        ("label\ttext_a\n0\ta\n\n", "line 3: received 1 fields"),
        ("label\ttext_a\n0\ta\n1", "line 3: .*may be truncated"),
        ("label\ttext_a\n \ta\n", "line 2: received a blank label"),
        (b"label\ttext_a\n0\ta\xff\n", "line 2: .*not UTF-8.*byte 3"),
    ],
)
def test_damaged_tsv_is_refused_with_file_and_line(file, content, message):
    with pytest.raises(ValueError, match=rf"train\.tsv.*{message}"):
        fields(file(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('label,text_a\n0,a\n1,"b\n0,c\n', "line 3: .*quote.*not closed"),
        ('label,text_a\n0,"a"b\n', "line 2: .*quote in the wrong place"),
        ('label,text_a\n0,5" disk "\n', "line 2: .*quote in the wrong"),
        ("label\ttext_a\n0\ta\n", r"line 1: .*parted by '\\t'.*expected ','"),
        ("label;text_a\n0;a\n", "line 1: .*parted by ';'"),
        ("label,text_a\n0,a,b\n", "line 2: received 3 fields"),
    ],
)
def test_damaged_csv_is_refused_with_file_and_line(file, content, message):
    with pytest.raises(ValueError, match=rf"train\.csv.*{message}"):
        fields(file(content, "train.csv"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"label": 0, "text_a": "b"', "not JSON.*may be truncated"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[0]", "received a JSON list"),
        ('{"text_a": "b"}', r"expected \['label'\]"),
        ('{"label": 0}', r"expected \['text_a'\]"),
        ('{"label": 0.5, "text_a": "b"}', "label=0.5.*string or an integer"),
        ('{"label": true, "text_a": "b"}', "label=True"),
        ('{"label": 0, "text_a": null}', "text_a=None, expected a string"),
        ('{"label": 0, "text_a": "b", "label": 1}', "'label'.*more than once"),
        ('{"label": 0, "text_a": "b", "text_b": "c"}', "expected single"),
    ],
)
def test_damaged_jsonl_is_refused_with_file_and_line(file, line, message):
    content = f'{{"label": 0, "text_a": "a"}}\n{line}'
    content += "\n" if "truncated" not in message else ""
    with pytest.raises(ValueError, match=rf"train\.jsonl, line 2: .*{message}"):
        fields(file(content, "train.jsonl"))


def test_pair_task_refuses_single_texts(file):
    path = file("label\ttext_a\n0\ta\n")
    with pytest.raises(ValueError, match=r"line 1: .*\['text_b'\] as well"):
        fields(path, pairs=True)


def test_single_text_task_refuses_pairs(file):
    path = file("label\ttext_a\ttext_b\n0\ta\tb\n")
    with pytest.raises(ValueError, match=r"line 1: .*expected single texts"):
        fields(path, pairs=False)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No table at"):
        TableReader(tmp_path / "train.tsv")


def test_bad_rows_go_to_the_side_file(file, tmp_path):
    path = file(b"label\ttext_a\n0\ta\nbad\n1\t\xff\n1\tb\n")
    side = tmp_path / "bad.jsonl"
    rows = fields(path, max_bad_rows=2, bad_rows_path=side)
    assert rows == [("0", "a", None), ("1", "b", None)]
    entries = [json.loads(line) for line in side.read_text().splitlines()]
    assert [entry["line"] for entry in entries] == [3, 4]
    assert [entry["content"] for entry in entries] == ["bad", "1\t\ufffd"]
    assert "1 fields" in entries[0]["reason"]


def test_one_bad_row_too_many_is_refused(file, tmp_path):
    path = file("label\ttext_a\n0\ta\nbad\nworse\n")
    options = {"max_bad_rows": 1, "bad_rows_path": tmp_path / "bad.jsonl"}
    with pytest.raises(ValueError, match=r"line 4: .*bad row after 1 others"):
        fields(path, **options)


@pytest.mark.parametrize("count", [-1, 1])
def test_bad_rows_need_a_side_file_and_a_count(file, count):
    path = file("label\ttext_a\n0\ta\n")
    with pytest.raises(ValueError, match=f"max_bad_rows={count}"):
        fields(path, max_bad_rows=count)


def test_side_file_is_never_the_table(file):
    path = file("label\ttext_a\n0\ta\n")
    with pytest.raises(ValueError, match="must not be the table"):
        fields(path, max_bad_rows=1, bad_rows_path=path)
    assert path.read_text().startswith("label")


def labels_of(file, labels):
    rows = "".join(f"{label}\ta\n" for label in labels)
    return read_labels(file("label\ttext_a\n" + rows))


def test_integer_labels_are_sorted_by_value(file):
    names = [str(place) for place in range(11)]
    assert labels_of(file, [*names[::-1], 3]) == names


def test_named_labels_are_sorted_by_spelling(file):
    assert labels_of(file, ["pos", "neg", "pos"]) == ["neg", "pos"]


@pytest.mark.parametrize("labels", [[0, 2], [1, 2], [-1, 0], ["00", "1"]])
def test_integers_other_than_zero_to_n_are_refused(file, labels):
    with pytest.raises(ValueError, match=r"expected \['0', '1'\]"):
        labels_of(file, labels)


def test_one_class_only_is_refused(file):
    with pytest.raises(ValueError, match=r"labels \['1'\], expected two"):
        labels_of(file, [1, 1])
