"""From strings to token ids."""

from .preprocessor import VOCABULARY_FILE, TextPreprocessor
from .settings import check_settings
from .texts import encode_text
from .unicode_table import FILE_NAME, load_unicode_table
from .vocabulary import read_vocabulary

__all__ = [
    "FILE_NAME",
    "VOCABULARY_FILE",
    "TextPreprocessor",
    "check_settings",
    "encode_text",
    "load_unicode_table",
    "read_vocabulary",
]
