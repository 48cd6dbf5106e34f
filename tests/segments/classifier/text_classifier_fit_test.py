import pathlib

from fastbert_tf.segments import TextClassifier
from fastbert_tf.training import TrainingSettings

from ...fastbert_tf.checkpoints import tiny
from ...tiny_texts import write_vocabulary


def test_two_lists_give_a_classifier_and_a_folder(
    tmp_path: pathlib.Path,
) -> None:
    bert = tmp_path / "bert"
    tiny.write_shallow(bert, 2)
    write_vocabulary(bert / "vocab.txt")
    texts = ["good film", "bad plot"] * 6
    trained = TextClassifier.fit(
        texts,
        ["pos", "neg"] * 6,
        bert,
        path=tmp_path / "model",
        settings=TrainingSettings(epochs=1, distill_epochs=1),
        sequence_length=7,
    )
    assert trained.labels == ("neg", "pos")
    again = TextClassifier.from_pretrained(tmp_path / "model")
    assert list(again.predict(texts)) == list(trained.predict(texts))
