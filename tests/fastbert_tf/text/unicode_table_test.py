"""Tests of the table of code points against `tokenizers`."""

import random

import numpy as np
import pytest
import tensorflow as tf
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from fastbert_tf.text.unicode_table import load_unicode_table
from tests.fastbert_tf.text import text_oracle

CASES = pytest.mark.parametrize("do_lower_case", [True, False])


def words(do_lower_case, texts):
    table = text_oracle.table(do_lower_case)
    normalized = table.normalize(tf.constant([t.encode() for t in texts]))
    return [text.decode().split() for text in normalized.numpy()]


def expected_words(do_lower_case, texts):
    normalizer = BertNormalizer(lowercase=do_lower_case)
    split = BertPreTokenizer().pre_tokenize_str
    return [
        [word for word, _ in split(normalizer.normalize_str(text))]
        for text in texts
    ]


def assert_points_agree(do_lower_case, points):
    texts = [f"a{chr(point)}b" for point in points]
    ours = words(do_lower_case, texts)
    theirs = expected_words(do_lower_case, texts)
    wrong = [
        hex(point)
        for point, a, b in zip(points, ours, theirs, strict=True)
        if a != b
    ]
    assert not wrong


def all_points():
    return [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]


@CASES
def test_sampled_code_points_agree_with_hugging_face(do_lower_case):
    sample = random.Random(5).sample(all_points(), 1000)
    assert_points_agree(do_lower_case, [*range(0x600), *sample])


@pytest.mark.slow
@CASES
def test_every_code_point_agrees_with_hugging_face(do_lower_case):
    points = all_points()
    for start in range(0, len(points), 50_000):
        assert_points_agree(do_lower_case, points[start : start + 50_000])


@CASES
def test_random_strings_agree_with_hugging_face(do_lower_case):
    texts = [*text_oracle.ODD_TEXTS, *text_oracle.random_texts(11, 500)]
    ours = words(do_lower_case, texts)
    assert ours == expected_words(do_lower_case, texts)


def test_invalid_utf8_reads_as_python_replaces_it():
    rng = random.Random(3)
    whole = "aé中😀 b".encode()
    broken = [
        bytes(rng.choice([byte, rng.randrange(256)]) for byte in whole)
        for _ in range(2000)
    ]
    broken += [b"\xed\xa0\x80a", b"a\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe4\xb8"]
    table = text_oracle.table(True)
    replaced = [data.decode("utf-8", "replace").encode() for data in broken]
    ours = table.normalize(tf.constant(broken)).numpy()
    np.testing.assert_array_equal(
        ours, table.normalize(tf.constant(replaced)).numpy()
    )


def test_kept_combining_marks_stay_in_the_order_given():
    """The one known difference: NFD would swap these two (documented)."""
    assert words(True, ["\u302e\U0001d165"]) == [["\u302e\U0001d165"]]


@CASES
def test_saved_table_is_small_and_loads_whole(do_lower_case, tmp_path):
    path = tmp_path / "normalization.npz"
    table = text_oracle.table(do_lower_case)
    table.save(path)
    loaded = load_unicode_table(path)
    assert path.stat().st_size < 100_000
    assert loaded.do_lower_case is do_lower_case
    for name in ("page_of", "kinds", "values", "row_splits"):
        np.testing.assert_array_equal(
            getattr(loaded, name), getattr(table, name)
        )


def test_same_table_is_saved_as_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        text_oracle.table(False).save(tmp_path / name)
    one, two = tmp_path / "a.npz", tmp_path / "b.npz"
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "normalization.npz"
    text_oracle.table(False).save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"normalization\.npz.*damaged"):
        load_unicode_table(path)


def test_flipped_bits_are_refused_or_harmless(tmp_path):
    path = tmp_path / "normalization.npz"
    table = text_oracle.table(False)
    table.save(path)
    whole = path.read_bytes()
    rng = random.Random(2)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            loaded = load_unicode_table(path)
        except ValueError:
            continue
        np.testing.assert_array_equal(loaded.kinds, table.kinds)
        np.testing.assert_array_equal(loaded.values, table.values)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "normalization.npz"
    np.savez(path, page_of=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="damaged"):
        load_unicode_table(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": np.int32(1)}, "received arrays"),
        ({"format_version": np.int32(9)}, "format version 9, expected 1"),
        ({"kinds": np.full([68, 256], 5, np.int32)}, "do not fit"),
        ({"values": np.array([1.5])}, "do not fit"),
    ],
)
def test_foreign_arrays_are_refused(tmp_path, changes, message):
    path = tmp_path / "normalization.npz"
    text_oracle.table(False).save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **(arrays | changes))
    with pytest.raises(ValueError, match=message):
        load_unicode_table(path)
