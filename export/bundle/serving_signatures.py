"""Signatures of `serving/1`: names, types and shapes."""

from __future__ import annotations

from typing import Any

from fastbert_tf import INPUT_NAMES

SERVING = "serving/1"
CLASSIFY = "classify"
EXAMPLES = "inputs"
TEXT, SECOND_TEXT, SPEED = "text", "text_b", "speed"


def serving_signatures(
    num_classes: int, pairs: bool | None
) -> dict[str, dict[str, Any]]:
    """Every signature's inputs and outputs: name to dtype and shape.

    A signature has no optional inputs, so there are two of a kind: one that
    takes a speed a row, and one without, which uses the bundle's default.

    - `serving_default` and `with_speed`: `text`, and `text_b` in a bundle of
      pairs;
    - `pairs` and `pairs_with_speed`: `text` and `text_b`, in a bundle that
      does not say which it is of;
    - `tokens` and `tokens_with_speed`: the model's inputs;
    - `classify`: `inputs`, serialized `tf.Example`s with the features `text`,
      in a bundle of pairs `text_b`, and, optional, `speed`.

    Args:
        num_classes: int, C.
        pairs: bool, as of `Usage`.
    """
    kinds = {"": _texts(pairs)}
    if pairs is None:
        kinds["pairs"] = _texts(True)
    kinds["tokens"] = dict.fromkeys(INPUT_NAMES, _spec("int32", None, None))
    signatures = {}
    for kind, inputs in kinds.items():
        outputs = _answers(num_classes, with_texts=TEXT in inputs)
        with_speed = {**inputs, SPEED: _spec("float32", None)}
        for name, given in (
            (kind or "serving_default", inputs),
            (f"{kind}_with_speed".lstrip("_"), with_speed),
        ):
            signatures[name] = {"inputs": given, "outputs": outputs}
    signatures[CLASSIFY] = {
        "inputs": {EXAMPLES: _spec("string", None)},
        "outputs": {
            "classes": _spec("string", None, num_classes),
            "scores": _spec("float32", None, num_classes),
        },
    }
    return signatures


def _texts(pairs: bool | None) -> dict[str, Any]:
    names = (TEXT, SECOND_TEXT) if pairs else (TEXT,)
    return dict.fromkeys(names, _spec("string", None))


def _answers(num_classes: int, with_texts: bool) -> dict[str, Any]:
    answers = {
        "label": _spec("string", None),
        "label_id": _spec("int32", None),
        "probabilities": _spec("float32", None, num_classes),
        "exit_index": _spec("int32", None),
        "uncertainty": _spec("float32", None),
    }
    if with_texts:
        answers["truncated"] = _spec("bool", None)
    return answers


def _spec(dtype: str, *shape: int | None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape)}
