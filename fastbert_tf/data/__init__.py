"""Tables of texts and labels, and datasets made of them."""

from .dataset import load_dataset
from .tables import TableReader, holds_pairs, read_labels
from .texts import read_texts

__all__ = [
    "TableReader",
    "holds_pairs",
    "load_dataset",
    "read_labels",
    "read_texts",
]
