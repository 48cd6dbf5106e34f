"""The trained layers in the precision a segment computes in."""

import keras

from fastbert_tf.layers import ConfiguredLayer

PRECISIONS = ("float32", "bfloat16")


def check_precision(precision: str) -> str:
    """`precision` itself, if it is one of the two."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {list(PRECISIONS)}. Received: "
            f"precision={precision!r}."
        )
    return precision


def in_precision(layer: ConfiguredLayer, precision: str) -> ConfiguredLayer:
    """`layer`, or a copy that stores its weights and computes in `precision`.

    The copy is made by the layer's own configuration, so that the mathematics
    stays in one place. Uncertainty, softmax and logits are float32 in either.
    """
    if layer.dtype_policy.name == precision:
        return layer
    policy = {"module": "keras", "class_name": "DTypePolicy"}
    policy |= {"config": {"name": precision}, "registered_name": None}
    copy = type(layer).from_config({**layer.get_config(), "dtype": policy})
    copy.build()
    values = [keras.ops.cast(w, precision) for w in layer.weights]
    for weight, value in zip(copy.weights, values, strict=True):
        weight.assign(value)
    return copy
