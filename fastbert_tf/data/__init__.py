"""Tables of texts and labels, and datasets made of them."""

from .dataset import load_dataset
from .parquet_table import ParquetReader
from .tables import TableReader, holds_pairs, read_labels

__all__ = [
    "ParquetReader",
    "TableReader",
    "holds_pairs",
    "load_dataset",
    "read_labels",
]
