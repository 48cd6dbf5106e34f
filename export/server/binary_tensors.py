"""The binary tensor data extension of the Open Inference Protocol.

Tensors follow the JSON of a body in the order of their names there, little
endian; a string is its length in four bytes and its bytes.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from .errors import refuse

_LENGTH = struct.Struct("<I")
_DTYPES = {"FP32": "<f4", "INT32": "<i4", "BOOL": "?"}


def split_body(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    """The JSON of a body and the tensors behind it.

    Args:
        body: of the request.
        header_length: str, `Inference-Header-Content-Length` as it was sent;
            None where the body is JSON alone.
    """
    if header_length is None:
        return body, b""
    is_number = header_length.isascii() and header_length.isdigit()
    if not is_number or int(header_length[:10]) > len(body):
        refuse(
            "`Inference-Header-Content-Length` must be the bytes of the "
            f"JSON, {len(body)} at most."
        )
    length = int(header_length[:10])
    return body[:length], body[length:]


def read_tensor(name: str, datatype: str, data: bytes) -> list[Any]:
    """The values of a tensor: bytes for `BYTES`, else numbers."""
    if datatype == "BYTES":
        return _read_strings(name, data)
    dtype = np.dtype(_DTYPES[datatype])
    if len(data) % dtype.itemsize:
        refuse(
            f"`{name}` must be of whole {datatype} values. Received: "
            f"{len(data)} bytes."
        )
    return np.frombuffer(data, dtype).tolist()


def write_tensor(datatype: str, column: np.ndarray) -> bytes:
    """A column as bytes."""
    if datatype != "BYTES":
        return column.astype(_DTYPES[datatype]).tobytes()
    encoded = [value.encode("utf-8") for value in column.tolist()]
    return b"".join(_LENGTH.pack(len(text)) + text for text in encoded)


def _read_strings(name: str, data: bytes) -> list[bytes]:
    strings, place = [], 0
    while place < len(data):
        start = place + _LENGTH.size
        if start > len(data):
            refuse(f"`{name}` ends inside the length of a string.")
        (length,) = _LENGTH.unpack_from(data, place)
        place = start + length
        if place > len(data):
            refuse(f"`{name}` ends inside a string.")
        strings.append(data[start:place])
    return strings
