"""Name, state, inputs and outputs of the model, in both protocols."""

from __future__ import annotations

from typing import Any

from .open_inference import INPUTS
from .reply import OUTPUTS
from .service import Service
from .tensorflow_serving import SIGNATURE

# The Open Inference Protocol's datatypes in TensorFlow's words.
_TENSORFLOW = {
    "BYTES": "DT_STRING",
    "FP32": "DT_FLOAT",
    "INT32": "DT_INT32",
    "BOOL": "DT_BOOL",
}


def model_metadata(service: Service) -> dict[str, Any]:
    """`/v2/models/NAME`."""
    return {
        "name": service.name,
        "versions": [service.version],
        "platform": "fastbert_tf",
        "inputs": [
            {"name": name, "datatype": datatype, "shape": [-1]}
            for name, datatype in _inputs(service).items()
        ],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": _shape(service, name)}
            for name, datatype in OUTPUTS.items()
        ],
    }


def version_status(service: Service) -> dict[str, Any]:
    """`/v1/models/NAME`."""
    status = {"error_code": "OK", "error_message": ""}
    version = {
        "version": service.version,
        "state": service.state,
        "status": status,
    }
    return {"model_version_status": [version]}


def signatures(service: Service) -> dict[str, Any]:
    """`/v1/models/NAME/metadata`."""
    signature = {
        "inputs": {
            name: _tensor_info(name, datatype, [-1])
            for name, datatype in _inputs(service).items()
        },
        "outputs": {
            name: _tensor_info(name, datatype, _shape(service, name))
            for name, datatype in OUTPUTS.items()
        },
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {
            "name": service.name,
            "signature_name": "",
            "version": service.version,
        },
        "metadata": {
            "signature_def": {"signature_def": {SIGNATURE: signature}}
        },
    }


def _inputs(service: Service) -> dict[str, str]:
    """Those the model takes: no `text_b` where it is of single texts."""
    takes_pairs = service.classifier.pairs is not False
    return {k: v for k, v in INPUTS.items() if k != "text_b" or takes_pairs}


def _shape(service: Service, output: str) -> list[int]:
    if output == "probabilities":
        return [-1, service.classifier.config.num_classes]
    return [-1]


def _tensor_info(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    sizes = [{"size": str(size), "name": ""} for size in shape]
    return {
        "dtype": _TENSORFLOW[datatype],
        "tensor_shape": {"dim": sizes, "unknown_rank": False},
        "name": name,
    }
