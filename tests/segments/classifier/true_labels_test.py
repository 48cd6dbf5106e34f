import numpy as np
import pytest

from fastbert_tf.segments.classifier.true_labels import true_labels

NAMES = ("neg", "pos")


def test_labels_come_in_many_forms() -> None:
    expected = ["pos", "neg"]
    for labels in (("pos", "neg"), np.array(expected), [b"pos", b"neg"]):
        assert true_labels(labels, NAMES, 2) == expected
    assert true_labels(np.array([1, 0]), (0, 1), 2) == [1, 0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["pos", "positive"], r"\['neg', 'pos'\].*Received: 'positive'"),
        ([1, None], "Received: 1, None"),
        (["pos"], "1 labels and 2 texts"),
    ],
)
def test_what_the_model_does_not_know_is_refused(
    labels: list, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        true_labels(labels, NAMES, 2)


def test_no_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="0 labels and 0 texts"):
        true_labels([], NAMES, 0)
