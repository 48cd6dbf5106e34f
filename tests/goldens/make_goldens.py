"""Makes the goldens: a tiny checkpoint of every format, with what it answers.

    python -m tests.goldens.make_goldens NAME...

`expected.npz` beside each holds the inputs and the answers, computed without
the code under test where that is possible: by `transformers` (PyTorch) for
`huggingface` and `google`, which hold the same weights, and by the NumPy
formulas of `oracle.py` for `uer`. `fastbert` is written and answered by the
library itself: it stands for folders written with format version 1 and is not
made again while that version is read. So are those in `bundles`, one a format
version, whose answers are those of the model, not of its segments. Making any
of them again is a change of what is promised, and is to be reviewed as one.
"""

import os
import sys

import numpy as np
import torch
import transformers

from fastbert_tf import TextPreprocessor
from fastbert_tf.config import FastBertConfig
from fastbert_tf.export import export_segments
from fastbert_tf.model import FastBertClassifier
from fastbert_tf.text import unicode_table
from fastbert_tf.text.vocabulary import Vocabulary
from tests import tiny_models, tiny_texts
from tests.fastbert_tf.checkpoints import oracle, tiny

FOLDER = os.path.dirname(os.path.abspath(__file__))
_CLASSIFIER_WIDTH = 8  # the official 128 would make files of 400 kB


def make_huggingface(folder: str) -> None:
    tiny.write_huggingface(folder)
    _write_expected(folder, hidden_states=_hidden_states(folder))


def make_google(folder: str) -> None:
    """Google's files of the same weights, and the same answers."""
    tiny.write_google(folder)
    source = os.path.join(FOLDER, "huggingface")
    _write_expected(folder, hidden_states=_hidden_states(source))


def make_uer(folder: str) -> None:
    tensors = tiny.official_tensors(classifier_width=_CLASSIFIER_WIDTH)
    tiny.write_official(folder, tensors)
    inputs = tiny.inputs()
    segments = (inputs["token_type_ids"] + 1) * inputs["padding_mask"]
    logits = oracle.official_logits(
        inputs["token_ids"], segments, tensors, num_blocks=3, num_heads=2
    )
    _write_expected(folder, exit_logits=logits)


def make_fastbert(folder: str) -> None:
    config = FastBertConfig.from_dict(
        {
            **tiny.SIZES,
            "num_classes": tiny.NUM_CLASSES,
            "classifier_hidden_size": _CLASSIFIER_WIDTH,
            "initializer_range": 0.3,
        }
    )
    model = FastBertClassifier(config)
    rng = np.random.default_rng(11)
    for weight in model.weights:
        weight.assign(0.3 * rng.standard_normal(weight.shape))
    tiny.save(model, folder, labels=["1", "2", "3", "4", "fünf"])
    logits = np.asarray(model.exit_logits(tiny.inputs()))
    _write_expected(folder, exit_logits=logits)


def make_bundles(folder: str) -> None:
    """A bundle of every format version, and what it answers.

    The preprocessor knows every code point, and changes none.
    """
    table = unicode_table.UnicodeTable(
        do_lower_case=False,
        page_of=np.zeros(
            unicode_table.NUM_CODE_POINTS // unicode_table.PAGE_SIZE, np.int32
        ),
        kinds=np.zeros((1, unicode_table.PAGE_SIZE), np.int32),
        values=np.array([unicode_table.SELF], np.int32),
        row_splits=np.array([0, 1], np.int32),
    )
    vocabulary = Vocabulary(tuple(tiny_texts.TOKENS))
    preprocessor = TextPreprocessor(vocabulary, table, sequence_length=9)
    model = tiny_models.random_model(36, num_hidden_layers=2)
    texts = [text for text in tiny_texts.TEXTS if text.strip()]
    logits = np.asarray(model.exit_logits(preprocessor(texts)))
    for version, format_ in ("1", "saved_model"), ("2", "openvino"):
        export_segments(
            model,
            os.path.join(folder, version),
            preprocessor,
            labels=["1", "2", "3", "4", "fünf"],
            speed=0.5,
            pairs=False,
            format=format_,
        )
        path = os.path.join(folder, f"{version}.npz")
        np.savez(path, texts=texts, exit_logits=logits)


def _hidden_states(folder: str) -> np.ndarray:
    model = transformers.BertModel.from_pretrained(
        folder, add_pooling_layer=False
    ).eval()
    inputs = {k: torch.tensor(v).long() for k, v in tiny.inputs().items()}
    with torch.no_grad():
        output = model(
            inputs["token_ids"],
            attention_mask=inputs["padding_mask"],
            token_type_ids=inputs["token_type_ids"],
            output_hidden_states=True,
        )
    return np.stack([state.numpy() for state in output.hidden_states[1:]])


def _write_expected(folder: str, **answers: np.ndarray) -> None:
    answers = {k: v.astype(np.float32) for k, v in answers.items()}
    np.savez(os.path.join(folder, "expected.npz"), **tiny.inputs(), **answers)


MAKERS = {
    "huggingface": make_huggingface,
    "google": make_google,
    "uer": make_uer,
    "fastbert": make_fastbert,
    "bundles": make_bundles,
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        MAKERS[name](os.path.join(FOLDER, name))
