"""Tiny checkpoints in foreign names, made without the code under test."""

import json
import os

import numpy as np
import safetensors.numpy
import tensorflow as tf

from fastbert_tf import checkpoints

SIZES = {
    "vocab_size": 23,
    "hidden_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 9,
    "type_vocab_size": 2,
}
NUM_CLASSES = 5
UER_CONFIG = {
    "emb_size": 12,
    "feedforward_size": 20,
    "hidden_size": 12,
    "heads_num": 2,
    "layers_num": 3,
    "dropout": 0.1,
    "embedding": "bert",
    "encoder": "bert",
    "pooling": "first",
}


def inputs(rows=4, positions=7, seed=3):
    """Texts, pairs and padding as the inputs of the network."""
    rng = np.random.default_rng(seed)
    token_ids = rng.integers(5, SIZES["vocab_size"], (rows, positions))
    lengths = rng.integers(3, positions + 1, rows)
    at = np.arange(positions)[None, :]
    mask = at < lengths[:, None]
    pairs = (rng.random(rows) < 0.5)[:, None]
    values = {
        "token_ids": token_ids * mask,
        "token_type_ids": (pairs & (at >= 2) & mask) * 1,
        "padding_mask": mask * 1,
    }
    return {name: value.astype(np.int32) for name, value in values.items()}


def _random(shapes, seed):
    rng = np.random.default_rng(seed)
    return {
        name: (0.3 * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def _linear(name, width_in, width_out):
    return {
        f"{name}.weight": (width_out, width_in),
        f"{name}.bias": (width_out,),
    }


def huggingface_tensors(seed=0, num_layers=SIZES["num_hidden_layers"]):
    width, expanded = SIZES["hidden_size"], SIZES["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (SIZES["vocab_size"], width),
        "embeddings.position_embeddings.weight": (9, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    for i in range(num_layers):
        layer = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _linear(f"{layer}.attention.{part}", width, width)
        shapes |= _linear(f"{layer}.intermediate.dense", width, expanded)
        shapes |= _linear(f"{layer}.output.dense", expanded, width)
        for part in ("attention.output", "output"):
            shapes[f"{layer}.{part}.LayerNorm.weight"] = (width,)
            shapes[f"{layer}.{part}.LayerNorm.bias"] = (width,)
    return _random(shapes, seed)


def google_tensors(seed=0):
    """The same network in Google's names, kernels `[in, out]`."""
    renamed = {}
    for name, tensor in huggingface_tensors(seed).items():
        theirs = "bert/" + name.replace(".", "/").replace("layer/", "layer_")
        if "LayerNorm" in name:
            theirs = theirs.replace("/weight", "/gamma").replace(
                "/bias", "/beta"
            )
        elif name.endswith("_embeddings.weight"):
            theirs = theirs.removesuffix("/weight")
        elif name.endswith(".weight"):
            theirs = theirs.removesuffix("weight") + "kernel"
            tensor = tensor.T
        renamed[theirs] = np.ascontiguousarray(tensor)
    return renamed


def official_tensors(seed=0, classifier_width=128):
    """An official FastBERT as the released script saves it."""
    width, expanded = SIZES["hidden_size"], SIZES["intermediate_size"]
    shapes = {
        "embedding.word_embedding.weight": (SIZES["vocab_size"], width),
        "embedding.position_embedding.weight": (9, width),
        "embedding.segment_embedding.weight": (3, width),
        "embedding.layer_norm.gamma": (width,),
        "embedding.layer_norm.beta": (width,),
    }
    for i in range(SIZES["num_hidden_layers"]):
        layer = f"encoder.transformer.{i}"
        shapes |= _attention(f"{layer}.self_attn", width)
        shapes |= _linear(f"{layer}.feed_forward.linear_1", width, expanded)
        shapes |= _linear(f"{layer}.feed_forward.linear_2", expanded, width)
        for part in ("layer_norm_1", "layer_norm_2"):
            shapes[f"{layer}.{part}.gamma"] = (width,)
            shapes[f"{layer}.{part}.beta"] = (width,)
        shapes |= _official_classifier(f"classifiers.{i}", classifier_width)
    return _conditioned(_random(shapes, seed))


def _conditioned(tensors):
    """Gains near 1, as trained weights have: rounding is not amplified."""
    for name in tensors:
        if name.endswith("gamma"):
            tensors[name] += 1
        if name.startswith("classifiers.") and name.endswith(".weight"):
            tensors[name] *= 0.35
    return tensors


def _attention(name, width):
    shapes = _linear(f"{name}.final_linear", width, width)
    for i in range(3):
        shapes |= _linear(f"{name}.linear_layers.{i}", width, width)
    return shapes


def _official_classifier(name, width, hidden_size=SIZES["hidden_size"]):
    return {
        **_linear(f"{name}.output_layer_0", hidden_size, width),
        **_attention(f"{name}.self_atten", width),
        **_linear(f"{name}.output_layer_1", width, width),
        **_linear(f"{name}.output_layer_2", width, NUM_CLASSES),
    }


def official_classifiers(num_blocks, hidden_size, seed=5):
    """Exit classifiers for an encoder of another size."""
    shapes = {}
    for i in range(num_blocks):
        shapes |= _official_classifier(f"classifiers.{i}", 128, hidden_size)
    tensors = _random(shapes, seed)
    return {name: tensor * np.float32(0.3) for name, tensor in tensors.items()}


def write_json(path, fields):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(fields, file)


def write_huggingface(folder, tensors=None, **changes):
    """A Hugging Face folder; `changes` go into its configuration."""
    os.makedirs(folder, exist_ok=True)
    config = {"model_type": "bert", **SIZES, **changes}
    write_json(os.path.join(folder, "config.json"), config)
    tensors = huggingface_tensors() if tensors is None else tensors
    path = os.path.join(folder, "model.safetensors")
    safetensors.numpy.save_file(tensors, path, metadata={"format": "pt"})
    return str(folder)


def write_shallow(folder, num_layers=1):
    """A Hugging Face folder of fewer blocks, for tests that train."""
    tensors = huggingface_tensors(num_layers=num_layers)
    return write_huggingface(folder, tensors, num_hidden_layers=num_layers)


def write_google(folder, tensors=None, stem="bert_model.ckpt", **changes):
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, "bert_config.json"), SIZES | changes)
    tensors = google_tensors() if tensors is None else tensors
    tf.raw_ops.SaveV2(
        prefix=os.path.join(folder, stem),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(tensor) for tensor in tensors.values()],
    )
    return str(folder)


def write_official(folder, tensors=None, **changes):
    """A `.bin` and its JSON; gives both paths."""
    import torch

    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "fastbert.bin")
    config_path = os.path.join(folder, "sizes.json")
    write_json(config_path, UER_CONFIG | changes)
    tensors = official_tensors() if tensors is None else tensors
    state = {name: torch.tensor(value) for name, value in tensors.items()}
    torch.save(state, path)
    return path, config_path


def save(model, folder, **kwargs):
    """What `model.save_pretrained` writes."""
    weights = model.named_weights().items()
    tensors = {name: weight.numpy() for name, weight in weights}
    checkpoint = checkpoints.Checkpoint(model.config, tensors, model.origin)
    checkpoints.write_folder(str(folder), checkpoint, **kwargs)
    return str(folder)
