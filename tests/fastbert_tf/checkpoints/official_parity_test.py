"""Real weights in the official form: their deviations are what counts.

The official layer norm adds 1e-6 to the deviation, ours 1e-12 to the
variance; how far that is apart depends on the activations.
"""

import numpy as np
import pytest

from fastbert_tf.model import FastBertClassifier

from . import oracle, tiny

torch = pytest.importorskip("torch", reason="`.bin` files are PyTorch's")


def in_official_names(tensors):
    """MiniLM's weights as an official encoder, for their real deviations."""
    pairs = (
        ("encoder.layer.", "encoder.transformer."),
        ("attention.self.query", "self_attn.linear_layers.0"),
        ("attention.self.key", "self_attn.linear_layers.1"),
        ("attention.self.value", "self_attn.linear_layers.2"),
        ("attention.output.dense", "self_attn.final_linear"),
        ("attention.output.LayerNorm", "layer_norm_1"),
        ("intermediate.dense", "feed_forward.linear_1"),
        ("output.dense", "feed_forward.linear_2"),
        ("output.LayerNorm", "layer_norm_2"),
        ("embeddings.LayerNorm", "embedding.layer_norm"),
        ("embeddings.word_embeddings", "embedding.word_embedding"),
        ("embeddings.position_embeddings", "embedding.position_embedding"),
        ("embeddings.token_type_embeddings", "embedding.segment_embedding"),
    )
    renamed = {}
    for name, tensor in tensors.items():
        for theirs, official in pairs:
            name = name.replace(theirs, official)
        if "layer_norm" in name:
            name = name.replace("weight", "gamma").replace("bias", "beta")
        renamed[name] = tensor
    segments = renamed["embedding.segment_embedding.weight"]
    padded = np.concatenate([np.zeros_like(segments[:1]), segments])
    renamed["embedding.segment_embedding.weight"] = padded
    return renamed


@pytest.mark.slow
def test_real_weights_in_the_official_form_give_official_logits(
    tmp_path, minilm
):
    tensors = tiny.safetensors.numpy.load_file(f"{minilm}/model.safetensors")
    kept = {n: t for n, t in tensors.items() if n.startswith(("em", "en"))}
    kept.pop("embeddings.position_ids")
    official = in_official_names(kept) | tiny.official_classifiers(6, 384)
    sizes = {"hidden_size": 384, "emb_size": 384, "feedforward_size": 1536}
    path, config_path = tiny.write_official(
        tmp_path, official, heads_num=12, layers_num=6, **sizes
    )
    model = FastBertClassifier.from_pretrained(path, config_path=config_path)
    inputs = tiny.inputs(rows=4, positions=9)
    inputs["token_ids"] *= 997 * inputs["padding_mask"]
    segments = (inputs["token_type_ids"] + 1) * inputs["padding_mask"]
    expected = oracle.official_logits(
        inputs["token_ids"], segments, official, 6, 12
    )
    received = model.exit_logits(inputs).numpy()
    np.testing.assert_allclose(received, expected, atol=1e-4, rtol=0)
