"""The variables of a FastBERT, by name and shape, without building one."""

from ..config import FastBertConfig

EXIT_PREFIX = "exit_classifier_"

Shapes = dict[str, tuple[int, ...]]


def variable_shapes(
    config: FastBertConfig, with_exit_classifiers: bool
) -> Shapes:
    """Name and shape of every variable that `config` asks for.

    Readers compare a file with it before a model is built, so that a damaged
    size allocates nothing.
    """
    shapes = _embeddings(config)
    for i in range(config.num_hidden_layers):
        shapes.update(_block(config, f"block_{i}"))
        if with_exit_classifiers:
            shapes.update(_exit_classifier(config, f"{EXIT_PREFIX}{i}"))
    return shapes


def _dense(name: str, width_in: int, width_out: int) -> Shapes:
    return {
        f"{name}/kernel": (width_in, width_out),
        f"{name}/bias": (width_out,),
    }


def _layer_norm(name: str, width: int) -> Shapes:
    return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}


def _attention(name: str, width: int) -> Shapes:
    parts = ("query", "key", "value", "output_dense")
    shapes = [_dense(f"{name}/{part}", width, width) for part in parts]
    return {key: shape for part in shapes for key, shape in part.items()}


def _embeddings(config: FastBertConfig) -> Shapes:
    width = config.hidden_size
    return {
        "embeddings/token_embedding/embeddings": (config.vocab_size, width),
        "embeddings/position_embedding": (
            config.max_position_embeddings,
            width,
        ),
        "embeddings/token_type_embedding/embeddings": (
            config.type_vocab_size,
            width,
        ),
        **_layer_norm("embeddings/layer_norm", width),
    }


def _block(config: FastBertConfig, name: str) -> Shapes:
    width, expanded = config.hidden_size, config.intermediate_size
    return {
        **_attention(f"{name}/attention", width),
        **_layer_norm(f"{name}/attention_layer_norm", width),
        **_dense(f"{name}/intermediate", width, expanded),
        **_dense(f"{name}/output_dense", expanded, width),
        **_layer_norm(f"{name}/output_layer_norm", width),
    }


def _exit_classifier(config: FastBertConfig, name: str) -> Shapes:
    width = config.classifier_hidden_size
    return {
        **_dense(f"{name}/input_dense", config.hidden_size, width),
        **_attention(f"{name}/attention", width),
        **_dense(f"{name}/pooled_dense", width, width),
        **_dense(f"{name}/logits_dense", width, config.num_classes),
    }
