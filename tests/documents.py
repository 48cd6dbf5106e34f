"""The Python of README and BUILD, and a folder in which it runs.

The names that the documents use stand for tiny fixtures there:
`bert-base-uncased/`, `train.tsv`, `dev.tsv`, `model/`.
"""

import pathlib
import re

import numpy as np

from fastbert_tf import TextPreprocessor

from .fastbert_tf.checkpoints import tiny
from .tiny_models import random_model
from .tiny_texts import TOKENS, write_vocabulary

TOP = pathlib.Path(__file__).parent.parent
DOCUMENTS = ("README.md", "BUILD.md")
_BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def python_blocks(document: str) -> list[str]:
    """The blocks of a document, as they stand, in order."""
    text = (TOP / document).read_text(encoding="utf-8")
    return [
        re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
        for indent, code in _BLOCK.findall(text)
    ]


def write_fixtures(folder: pathlib.Path) -> None:
    """What the documents name, tiny."""
    bert = folder / "bert-base-uncased"
    tensors = tiny.huggingface_tensors()
    name = "embeddings.position_embeddings.weight"
    tensors[name] = np.zeros((128, tiny.SIZES["hidden_size"]), np.float32)
    tiny.write_huggingface(bert, tensors, max_position_embeddings=128)
    write_vocabulary(bert / "vocab.txt")
    rows = [f"{TOKENS[5 + i % 6]} film" for i in range(40)]
    lines = (f"{('neg', 'pos')[i % 2]}\t{row}\n" for i, row in enumerate(rows))
    table = "label\ttext_a\n" + "".join(lines)
    for name in ("train.tsv", "dev.tsv"):
        (folder / name).write_text(table)
    preprocessor = TextPreprocessor.from_pretrained(bert, 9)
    model = random_model(num_classes=2)
    model.save_pretrained(
        str(folder / "model"), preprocessor, ["neg", "pos"], {"pairs": False}
    )
