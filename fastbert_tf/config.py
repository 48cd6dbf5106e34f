"""The sizes and choices of a FastBERT, in the names checkpoints use."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

HIDDEN_ACTIVATIONS = ("gelu", "gelu_new", "relu")
CLASSIFIER_POOLINGS = ("first", "max", "last")
# Beyond any published encoder of the family: a size above it is a damaged
# file, and is refused before anything is allocated.
_CEILINGS = {
    "vocab_size": 2_000_000,
    "hidden_size": 16_384,
    "num_hidden_layers": 256,
    "num_attention_heads": 1_024,
    "intermediate_size": 131_072,
    "max_position_embeddings": 131_072,
    "type_vocab_size": 1_024,
    "num_classes": 100_000,
    "classifier_hidden_size": 16_384,
    "classifier_num_heads": 1_024,
}
_PROBABILITIES = ("hidden_dropout_prob", "attention_probs_dropout_prob")


@dataclasses.dataclass(frozen=True)
class FastBertConfig:
    """Sizes of the encoder and of the exit classifiers on its blocks.

    The encoder's fields carry the names of Hugging Face's `config.json`; the
    last four are FastBERT's own. Every field is checked, so that a damaged
    configuration is refused before a tensor is allocated.

    Args:
        vocab_size: int. Rows of the token embedding.
        hidden_size: int. Width H of the hidden states.
        num_hidden_layers: int. Blocks L, hence exits and segments.
        num_attention_heads: int. Heads N of a block; must divide H.
        intermediate_size: int. Width F of the feed-forward part.
        hidden_act: str. `"gelu"` (erf), `"gelu_new"` (tanh) or `"relu"`.
        hidden_dropout_prob: float in [0, 1).
        attention_probs_dropout_prob: float in [0, 1).
        max_position_embeddings: int. Longest sequence, in tokens.
        type_vocab_size: int. Rows of the token type embedding.
        layer_norm_eps: float, positive.
        initializer_range: float. Standard deviation of fresh weights.
        num_classes: int, 2 or more.
        classifier_hidden_size: int. Width of an exit classifier.
        classifier_num_heads: int. Its heads; must divide its width.
        classifier_pooling: str. The position an exit classifier reads:
            `"first"` ([CLS], the paper's), `"last"` (the last real token) or
            `"max"` (the maximum over real tokens).

    Raises:
        ValueError: a field has another type, is out of range, or two fields
            do not fit each other.

    Example:

    >>> FastBertConfig(num_classes=4).num_hidden_layers
    12
    """

    vocab_size: int = 30_522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3_072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    num_classes: int = 2
    classifier_hidden_size: int = 128
    classifier_num_heads: int = 2
    classifier_pooling: str = "first"

    def __post_init__(self) -> None:
        for name, ceiling in _CEILINGS.items():
            smallest = 2 if name == "num_classes" else 1
            self._check_count(name, smallest, ceiling)
            object.__setattr__(self, name, int(getattr(self, name)))
        for name in _PROBABILITIES:
            self._check_number(name, 0.0, 1.0)
        self._check_number("layer_norm_eps", 1e-30, 1.0)
        self._check_number("initializer_range", 1e-30, 10.0)
        self._check_choice("hidden_act", HIDDEN_ACTIVATIONS)
        self._check_choice("classifier_pooling", CLASSIFIER_POOLINGS)
        self._check_divides("num_attention_heads", "hidden_size")
        self._check_divides("classifier_num_heads", "classifier_hidden_size")

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> FastBertConfig:
        """The configuration of `fields`; an unknown key is a ValueError."""
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(fields) - set(known))
        if unknown:
            raise ValueError(
                f"Unknown configuration keys. Received: {unknown}. "
                f"Expected some of: {known}. Remove or rename them."
            )
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, the inverse of `from_dict`."""
        return dataclasses.asdict(self)

    def replace(self, **changes: Any) -> FastBertConfig:
        """A copy with some fields changed, checked again."""
        return self.from_dict({**self.to_dict(), **changes})

    def _check_count(self, name: str, smallest: int, ceiling: int) -> None:
        value = getattr(self, name)
        is_count = isinstance(value, int | np.integer)
        is_count &= not isinstance(value, bool)
        if not is_count or not smallest <= value <= ceiling:
            raise ValueError(
                f"`{name}` must be a whole number in [{smallest}, {ceiling}]. "
                f"Received: {name}={value!r}. Correct the configuration."
            )

    def _check_number(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        is_number = isinstance(value, (int, float))
        if not is_number or isinstance(value, bool) or not low <= value < high:
            raise ValueError(
                f"`{name}` must be a number in [{low}, {high}). "
                f"Received: {name}={value!r}. Correct the configuration."
            )

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            raise ValueError(
                f"`{name}` must be one of {list(choices)}. "
                f"Received: {name}={value!r}. Correct the configuration."
            )

    def _check_divides(self, heads: str, width: str) -> None:
        num_heads, size = getattr(self, heads), getattr(self, width)
        if size % num_heads:
            raise ValueError(
                f"`{heads}` must divide `{width}`. Received: "
                f"{heads}={num_heads}, {width}={size}. Correct the "
                "configuration."
            )
