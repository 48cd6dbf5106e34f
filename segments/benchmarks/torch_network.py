"""The network of a FastBERT on PyTorch, for what it is compared to.

The encoder is `BertModel` of `transformers`, which others measure too; the
exit classifiers are linear layers under the names of our checkpoints and the
formula that joins them. PyTorch is an optional package, hence imported inside
functions here and in the modules beside.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from fastbert_tf import FastBertClassifier, FastBertConfig
from fastbert_tf.checkpoints import Checkpoint, stored_tensors

# Of the names `transformers` has for the tanh form, the one of one kernel.
_ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_pytorch_tanh", "relu": "relu"}
_SAME_FIELDS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
)
_EXITS = "exit_classifiers."


class TorchNetwork:
    """The encoder and the exit classifiers of a model, for inference.

    Its parameters are copies: training the model later leaves them alone.

    Args:
        model: `FastBertClassifier` with `classifier_pooling="first"`.
        attention: str, of the encoder: `"sdpa"`, PyTorch's fused one, or
            `"eager"`, which exports as the products and the softmax it is.

    Raises:
        ModuleNotFoundError: PyTorch or `transformers` is not installed.
        ValueError: the exit classifiers of `model` read another position.

    Example:

    ```python
    network = TorchNetwork(model)
    hidden_states = network.embed(token_ids, token_type_ids)
    hidden_states = network.run_block(0, hidden_states, mask)
    network.exit_logits(0, hidden_states, padding_mask)
    ```
    """

    def __init__(
        self, model: FastBertClassifier, attention: str = "sdpa"
    ) -> None:
        require("torch", "transformers")
        from torch.nn import ModuleList

        _check_pooling(model.config)
        self.config = model.config
        self.bert = _build_bert(model.config, attention)
        self.exit_classifiers = ModuleList(
            _build_exit_classifier(model.config) for _ in model.blocks
        )
        self._assign(_torch_tensors(model))

    def _assign(self, tensors: dict[str, Any]) -> None:
        """Every parameter gets its tensor; PyTorch tells both leftovers."""
        of_exits = [name for name in tensors if name.startswith(_EXITS)]
        self.exit_classifiers.load_state_dict(
            {name.removeprefix(_EXITS): tensors.pop(name) for name in of_exits}
        )
        self.bert.load_state_dict(tensors)

    def to(self, dtype: Any) -> TorchNetwork:
        """Itself, its parameters rounded to a `torch.dtype`."""
        self.bert.to(dtype)
        self.exit_classifiers.to(dtype)
        return self

    def embed(self, token_ids: Any, token_type_ids: Any) -> Any:
        """The embeddings, `[B, S, H]`, of integer `[B, S]`."""
        return self.bert.embeddings(token_ids, token_type_ids)

    def run_block(self, index: int, hidden_states: Any, mask: Any) -> Any:
        """The block `index` on `[B, S, H]`, which it returns.

        Args:
            index: int, 0 to L - 1.
            hidden_states: `[B, S, H]`.
            mask: `[B, 1, 1 or S, S]`; bool, True = real token, with `"sdpa"`,
                and floating, added to the scores, with `"eager"`.
        """
        return self.bert.encoder.layer[index](hidden_states, mask)

    def exit_logits(
        self,
        index: int,
        hidden_states: Any,
        padding_mask: Any,
        all_positions: bool = False,
    ) -> Any:
        """The logits of an exit classifier, float32 `[B, C]`.

        Args:
            index: int, the block it sits on; -1 is the teacher.
            hidden_states: `[B, S, H]`, of that block.
            padding_mask: integer `[B, S]`, 1 = real token.
            all_positions: bool. True attends from every position and reads
                [CLS] of the result, as the released code does; False asks
                the query of [CLS] alone, which gives the same.
        """
        parts = self.exit_classifiers[index]
        narrowed = parts["input_dense"](hidden_states).tanh()
        queries = narrowed if all_positions else narrowed[:, :1]
        mask = padding_mask.bool()[:, None, None, :]
        attended = self._attend(parts["attention"], queries, narrowed, mask)
        pooled = parts["pooled_dense"](attended[:, 0]).tanh()
        return parts["logits_dense"](pooled).float()

    def _attend(
        self, parts: Any, queries: Any, narrowed: Any, mask: Any
    ) -> Any:
        from torch.nn.functional import scaled_dot_product_attention

        num_heads = self.config.classifier_num_heads

        def heads(x: Any) -> Any:  # [B, N, S, D]
            return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)

        mixed = scaled_dot_product_attention(
            heads(parts["query"](queries)),
            heads(parts["key"](narrowed)),
            heads(parts["value"](narrowed)),
            mask,
        )
        return parts["output_dense"](mixed.transpose(1, 2).flatten(2))

    def full_depth(
        self, token_ids: Any, token_type_ids: Any, padding_mask: Any
    ) -> Any:
        """The teacher's logits, float32 `[B, C]`, of integer `[B, S]`."""
        outputs = self.bert(token_ids, padding_mask, token_type_ids)
        return self.exit_logits(-1, outputs.last_hidden_state, padding_mask)

    def as_module(self, function: Callable[..., Any]) -> Any:
        """A `torch.nn.Module` that owns the parameters and runs `function`.

        Args:
            function: of `token_ids`, `token_type_ids` and `padding_mask`.
        """
        import torch

        class Module(torch.nn.Module):
            def forward(
                self, token_ids: Any, token_type_ids: Any, padding_mask: Any
            ) -> Any:
                return function(token_ids, token_type_ids, padding_mask)

        module = Module()
        module.bert = self.bert
        module.exit_classifiers = self.exit_classifiers
        return module.eval()


def require(*packages: str) -> None:
    """Refuses to go on without an optional package, naming the way to get it.

    Raises:
        ModuleNotFoundError: one of `packages` is not installed.
    """
    missing = [x for x in packages if importlib.util.find_spec(x) is None]
    if missing:
        raise ModuleNotFoundError(
            f"A comparison needs {' and '.join(missing)}, not installed here. "
            "Run `pip install 'fastbert-tf[peers]'`, or leave the comparison "
            "out."
        )


def check_num_threads(num_threads: int) -> None:
    """Refuses what is no number of threads."""
    is_count = isinstance(num_threads, int)
    if not is_count or isinstance(num_threads, bool) or num_threads < 1:
        raise ValueError(
            "`num_threads` must be a whole number, 1 or more. Received: "
            f"num_threads={num_threads!r}. Pass the cores to compute on."
        )


@contextlib.contextmanager
def torch_threads(num_threads: int | None) -> Iterator[None]:
    """Has PyTorch compute on `num_threads` inside; None changes nothing."""
    import torch

    before = torch.get_num_threads()
    if num_threads in (None, before):
        yield
        return
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_pooling(config: FastBertConfig) -> None:
    if config.classifier_pooling != "first":
        raise ValueError(
            "`classifier_pooling` must be 'first' in a comparison. Received: "
            f"classifier_pooling={config.classifier_pooling!r}. Compare a "
            "model whose exit classifiers read [CLS]."
        )


def _build_bert(config: FastBertConfig, attention: str) -> Any:
    import transformers

    theirs = transformers.BertConfig(
        **{name: getattr(config, name) for name in _SAME_FIELDS},
        hidden_act=_ACTIVATIONS[config.hidden_act],
        attn_implementation=attention,
    )
    return transformers.BertModel(theirs, add_pooling_layer=False).eval()


def _build_exit_classifier(config: FastBertConfig) -> Any:
    from torch.nn import Linear, ModuleDict

    width = config.classifier_hidden_size
    attention = {
        name: Linear(width, width)
        for name in ("query", "key", "value", "output_dense")
    }
    return ModuleDict(
        {
            "input_dense": Linear(config.hidden_size, width),
            "attention": ModuleDict(attention),
            "pooled_dense": Linear(width, width),
            "logits_dense": Linear(width, config.num_classes),
        }
    )


def _torch_tensors(model: FastBertClassifier) -> dict[str, Any]:
    """The weights of `model` by the names of a saved folder, copied."""
    import torch

    weights = {k: v.numpy() for k, v in model.named_weights().items()}
    stored = stored_tensors(Checkpoint(model.config, weights, {}))
    return {name: torch.tensor(array) for name, array in stored.items()}
