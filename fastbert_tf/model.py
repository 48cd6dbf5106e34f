"""FastBERT as a Keras model: an encoder with a classifier on every block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from . import checkpoints
from .config import FastBertConfig
from .exit_classifier import ExitClassifier
from .inputs import check_preprocessor
from .layers import Block, Embeddings

Inputs = Mapping[str, Any]


class FastBertClassifier(keras.Model):
    """BERT with an exit classifier on every block.

    Called, it behaves like any BERT classifier: the encoder runs to its end
    and the teacher, the classifier of the last block, answers. `fit` trains
    encoder and teacher (stage 1). The students on the blocks before it are
    frozen until `SelfDistiller` trains them (stage 2).

    Args:
        config: `FastBertConfig`.
        **kwargs: of `keras.Model`; `dtype="mixed_bfloat16"` for example.

    Call arguments:
        inputs: dict of int32 `[B, S]`: `token_ids`, `token_type_ids`,
            `padding_mask` (1 = real token).

    Returns:
        float32 `[B, C]`, the teacher's logits.

    Example:

    >>> config = FastBertConfig(
    ...     vocab_size=9, hidden_size=8, num_hidden_layers=2,
    ...     num_attention_heads=2, intermediate_size=16)
    >>> inputs = {name: keras.ops.ones((1, 3), "int32") for name in
    ...           ("token_ids", "token_type_ids", "padding_mask")}
    >>> FastBertClassifier(config)(inputs).shape
    TensorShape([1, 2])

    Reference:
        FastBERT (Liu et al., 2020).
    """

    def __init__(self, config: FastBertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Layers ===
        policy = self.dtype_policy
        self.embeddings = Embeddings(config, dtype=policy, name="embeddings")
        self.blocks = [
            Block(config, dtype=policy, name=f"block_{i}")
            for i in range(config.num_hidden_layers)
        ]
        self.exit_classifiers = [
            ExitClassifier(config, dtype=policy, name=f"exit_classifier_{i}")
            for i in range(config.num_hidden_layers)
        ]
        # === Wiring ===
        for layer in self._parts():
            layer.build()
        for student in self.exit_classifiers[:-1]:
            student.trainable = False
        self.built = True
        # === Config ===
        self.config = config
        self.origin = {}

    def call(self, inputs: Inputs, training: bool = False) -> Any:
        padding_mask = inputs["padding_mask"]
        hidden_states = self.embed(inputs, training=training)
        for block in self.blocks:
            hidden_states = block(
                hidden_states, padding_mask, training=training
            )
        teacher = self.exit_classifiers[-1]
        return teacher(hidden_states, padding_mask, training=training)

    def embed(self, inputs: Inputs, training: bool = False) -> Any:
        """The embeddings of `inputs`, compute dtype `[B, S, H]`."""
        return self.embeddings(
            inputs["token_ids"], inputs["token_type_ids"], training=training
        )

    def block_outputs(self, inputs: Inputs) -> list[Any]:
        """The hidden states after every block, L of `[B, S, H]`, no dropout."""
        hidden_states, outputs = self.embed(inputs), []
        for block in self.blocks:
            hidden_states = block(hidden_states, inputs["padding_mask"])
            outputs.append(hidden_states)
        return outputs

    def exit_logits(self, inputs: Inputs) -> Any:
        """The logits of every exit, float32 `[L, B, C]`, without dropout."""
        exits = zip(
            self.exit_classifiers, self.block_outputs(inputs), strict=True
        )
        padding_mask = inputs["padding_mask"]
        return ops.stack([exit_(h, padding_mask) for exit_, h in exits])

    def compile(self, *args: Any, **kwargs: Any) -> None:
        super().compile(*args, **kwargs)
        build_optimizer(self)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def named_weights(self) -> dict[str, keras.Variable]:
        """Every weight by its name in checkpoints: `block_0/.../kernel`."""
        return {weight.path: weight for weight in self.weights}

    def get_config(self) -> dict[str, Any]:
        fields = {"config": self.config.to_dict(), "frozen": self._frozen()}
        return {**super().get_config(), **fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FastBertClassifier:
        options = {**config}
        options["config"] = FastBertConfig.from_dict(config["config"])
        frozen = options.pop("frozen", None)  # Files of 0.1 have none.
        model = cls(**options)
        if frozen is not None:
            for part in model._parts():
                part.trainable = part.name not in frozen
        return model

    def _parts(self) -> list[keras.layers.Layer]:
        return [self.embeddings, *self.blocks, *self.exit_classifiers]

    def _frozen(self) -> list[str]:
        """Names of the parts that have no weight to train."""
        return [
            part.name
            for part in self._parts()
            if not any(weight.trainable for weight in part.weights)
        ]

    @classmethod
    def from_pretrained(
        cls,
        path: str,
        num_classes: int | None = None,
        num_layers: int | None = None,
        config_path: str | None = None,
        **kwargs: Any,
    ) -> FastBertClassifier:
        """A model holding the weights of a checkpoint, all of them.

        Args:
            path: a folder (Hugging Face, Google TensorFlow or our own), a
                UER / official FastBERT `.bin` file, or a name on the Hugging
                Face hub.
            num_classes: int; needed when the checkpoint has no exit
                classifiers (which then start fresh, and are to be trained),
                2 if left out. Must agree with the classifiers it has.
            num_layers: int, a multiple of the checkpoint's blocks: each block
                is repeated. None keeps the checkpoint's number.
            config_path: the JSON configuration of a `.bin` file.
            **kwargs: of `FastBertClassifier`, `dtype` for example.

        Raises:
            FileNotFoundError: there is nothing at `path`.
            ValueError: a file is damaged, a tensor is missing, left over,
                misshapen or not finite, or the arguments do not fit it.
        """
        checkpoint = checkpoints.read_checkpoint(path, config_path)
        checkpoint = checkpoint.with_num_classes(num_classes)
        if num_layers is not None:
            checkpoint = checkpoint.stacked(num_layers)
        model = cls(checkpoint.config, **kwargs)
        checkpoint.assign_to(model.named_weights())
        model.origin = dict(checkpoint.origin)
        return model

    def save_pretrained(
        self,
        path: str,
        preprocessor: Any = None,
        labels: list[str] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes a folder that `from_pretrained` reads back bit for bit.

        The folder is a Hugging Face checkpoint, whose encoder `transformers`
        loads too, with the exit classifiers beside it, and `fastbert.json`:
        labels, preprocessing, origin and SHA-256 of every file. It is written
        aside and renamed, so that `path` holds the old folder or the new one.

        Args:
            path: folder to write; a FastBERT folder there is replaced.
            preprocessor: `TextPreprocessor`, saved with the model.
            labels: C class names, in the order of the logits.
            training: how it was trained, kept as it is (plain JSON values).

        Raises:
            ValueError: `labels` are not C different names, `preprocessor`
                belongs to another model, or `path` is something else than a
                FastBERT folder.
        """
        if preprocessor is not None:
            check_preprocessor(
                preprocessor.vocab_size,
                preprocessor.sequence_length,
                self.config,
            )
        tensors = {
            name: weight.numpy()
            for name, weight in self.named_weights().items()
        }
        checkpoints.write_folder(
            path,
            checkpoints.Checkpoint(self.config, tensors, self.origin),
            preprocessor=preprocessor,
            labels=labels,
            training=training,
        )


def build_optimizer(model: keras.Model) -> None:
    """Makes the optimizer's variables now, outside of a trace.

    Made inside, they force the train step of several hundred variables to be
    traced a second time, which doubles the wait before the first step.
    """
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


class AllExits(keras.Model):
    """The logits of every exit as one Keras model, rows first.

    Args:
        model: `FastBertClassifier`; its layers are shared, not copied.

    Call arguments:
        inputs: as of `FastBertClassifier`.

    Returns:
        float32 `[B, L, C]`, so that `predict` concatenates rows.
    """

    def __init__(self, model: FastBertClassifier, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def get_config(self) -> dict[str, Any]:
        model = keras.saving.serialize_keras_object(self.model)
        return {**super().get_config(), "model": model}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AllExits:
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})

    def call(self, inputs: Inputs) -> Any:
        return ops.swapaxes(self.model.exit_logits(inputs), 0, 1)
