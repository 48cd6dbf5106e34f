"""A bundle that is not as it was written is refused, by the file's name."""

import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest

from fastbert_tf.export import load_segments, read_bundle_manifest
from fastbert_tf.export.bundle.manifest import MANIFEST_FILE, Usage
from fastbert_tf.files.checksummed_json import to_text
from tests.export.conftest import LABELS

FILES = [
    f"{folder}/{name}"
    for folder in ("M0", "M1", "preprocessor")
    for name in (
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    )
]
FILES += ["manifest.json", "normalization.npz", "vocab.txt"]
each_file = pytest.mark.parametrize("name", FILES)


@pytest.fixture
def copy(bundle: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A bundle to damage."""
    return shutil.copytree(bundle, tmp_path / "copy")


def rewrite(bundle: pathlib.Path, **changes: Any) -> None:
    """Other fields in the manifest, with a checksum that fits them."""
    path = bundle / MANIFEST_FILE
    fields = json.loads(path.read_text(encoding="utf-8"))
    del fields["checksum"]
    version = fields.pop("format_version")
    path.write_text(to_text({**fields, **changes}, version), encoding="utf-8")


def refuse(bundle: pathlib.Path, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        load_segments(bundle)


def test_every_file_is_listed(bundle: pathlib.Path) -> None:
    paths = (path for path in bundle.rglob("*") if path.is_file())
    names = sorted(str(path.relative_to(bundle)) for path in paths)
    assert names == sorted(FILES)
    assert set(read_bundle_manifest(bundle).files) == set(FILES) - {
        MANIFEST_FILE
    }


@each_file
def test_a_deleted_file_is_refused_by_name(
    copy: pathlib.Path, name: str
) -> None:
    (copy / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_segments(copy)


@each_file
@pytest.mark.parametrize("keep", [0, 10, -1])
def test_an_emptied_or_truncated_file_is_refused_by_name(
    copy: pathlib.Path, name: str, keep: int
) -> None:
    size = (copy / name).stat().st_size
    os.truncate(copy / name, keep if keep >= 0 else size + keep)
    refuse(copy, name)


@each_file
def test_a_flipped_bit_is_refused_by_name(
    copy: pathlib.Path, name: str
) -> None:
    whole = (copy / name).read_bytes()
    for at in np.linspace(0, len(whole) - 1, 7).astype(int):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        (copy / name).write_bytes(damaged)
        refuse(copy, name)


@pytest.mark.parametrize(
    "name",
    [
        "assets.extra/tf_serving_warmup_requests",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
    ],
)
def test_what_serves_is_checked_too(
    served_bundle: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    copied = shutil.copytree(served_bundle, tmp_path / "copy")
    path = copied / "serving/1" / name
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    refuse(copied, f"serving/1/{name} is damaged")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_segments(copied)


def test_no_byte_of_the_manifest_can_change_unnoticed(
    copy: pathlib.Path,
) -> None:
    path = copy / MANIFEST_FILE
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=MANIFEST_FILE):
            read_bundle_manifest(copy)


@pytest.mark.parametrize("name", ["M0/saved_model.pbtxt", "M2/x", "readme"])
def test_a_file_too_many_is_refused(copy: pathlib.Path, name: str) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("x")
    refuse(copy, f"{name} is not a file of the bundle")


@pytest.mark.parametrize("name", ["vocab.txt", "M1/variables"])
def test_a_link_out_of_the_bundle_is_refused(
    copy: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    shutil.move(copy / name, tmp_path / "outside")
    os.symlink(tmp_path / "outside", copy / name)
    refuse(copy, f"{name} is not a file of the bundle")


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_another_format_version_is_refused_plainly(
    copy: pathlib.Path, version: Any
) -> None:
    path = copy / MANIFEST_FILE
    fields = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(fields | {"format_version": version}))
    refuse(copy, f"format_version={version!r}. Expected: 1 or 2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "web app"}, "contradicts itself"),
        ({"config": {"hidden_size": -1}}, "`hidden_size` must be"),
        ({"config": {"code": "os.system"}}, "Unknown configuration keys"),
        ({"config": None}, "does not describe a bundle"),
        ({"precision": "int8"}, "`precision` must be one of"),
        ({"exits": [1]}, "`files` must be those of 1 segments"),
        ({"exits": [0]}, "`exits` must rise"),
        ({"exits": "01"}, "contradicts itself"),
        ({"labels": LABELS[:4]}, "`labels` must be 5 different names"),
        ({"labels": "abcde"}, "contradicts itself"),
        ({"preprocessing": {}}, "does not describe a bundle"),
        ({"usage": {"speed": 2.0, "pairs": None}}, "speed=2.0"),
        ({"usage": {"speed": 0.5, "pairs": "no"}}, "pairs='no'"),
        ({"signatures": {}}, "contradicts itself"),
        ({"files": {}}, "`files` must be those of 2 segments"),
        ({"files": {"../../etc/passwd": {}}}, "`files` must be those"),
    ],
)
def test_a_manifest_that_fits_its_checksum_alone_is_refused(
    copy: pathlib.Path, changes: dict[str, Any], message: str
) -> None:
    rewrite(copy, **changes)
    refuse(copy, message)


def test_a_config_of_other_sizes_is_refused(copy: pathlib.Path) -> None:
    config = read_bundle_manifest(copy).config.replace(intermediate_size=21)
    rewrite(copy, config=config.to_dict())
    refuse(copy, "M0 holds other weights than its manifest says")


def test_the_manifest_says_what_the_bundle_is(bundle: pathlib.Path) -> None:
    manifest = read_bundle_manifest(bundle)
    assert manifest.usage == Usage(0.25, pairs=False)
    assert manifest.labels == tuple(LABELS)
    assert manifest.versions.keys() == {
        "fastbert-tf",
        "keras",
        "python",
        "tensorflow",
    }
    mask = {"dtype": "int32", "shape": [None, None]}
    states = {"dtype": "float32", "shape": [None, None, 12]}
    assert manifest.signatures["M1"] == {
        "inputs": {"hidden_states": states, "padding_mask": mask},
        "outputs": {
            "hidden_states": states,
            "logits": {"dtype": "float32", "shape": [None, 5]},
            "uncertainty": {"dtype": "float32", "shape": [None]},
        },
    }


@pytest.mark.parametrize("speed", [-0.1, 1.5, float("nan"), "fast"])
def test_an_impossible_default_speed_is_refused(speed: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="`speed` must be"):
        Usage(speed)
