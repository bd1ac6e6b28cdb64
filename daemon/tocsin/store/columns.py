"""Encoding of plain data with NumPy arrays: snapshots, journal entries and states of evicted streams."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

_ARRAY = 1

_array = msgspec.msgpack.Encoder()
_array_back = msgspec.msgpack.Decoder(tuple[str, tuple[int, ...], bytes])


def _encode_other(value: object) -> object:
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return msgspec.msgpack.Ext(_ARRAY, _array.encode((value.dtype.str, value.shape, value.tobytes())))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain data (legal: dict, list, text, numbers, NumPy arrays)")


def _decode_extension(code: int, data: memoryview) -> object:
    if code != _ARRAY:
        raise ValueError(f"unknown extension {code} (legal: {_ARRAY}, an array)")
    dtype, shape, body = _array_back.decode(data)
    return np.frombuffer(bytearray(body), dtype).reshape(shape)  # bytearray: callers write into it


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_other)
_decoder = msgspec.msgpack.Decoder(ext_hook=_decode_extension)


def pack(data: object) -> bytes:
    """Encode dicts, lists, text, numbers and arrays as MessagePack, arrays as extension 1: dtype, shape, bytes.

    >>> unpack(pack({"state": np.zeros((2, 3), np.float32)}))["state"].shape
    (2, 3)
    """
    return _encoder.encode(data)


def unpack(body: bytes) -> Any:  # noqa: ANN401  (whatever was packed)
    """Decode; a tuple comes back as a list.

    Raises:
        ValueError: It is not what `pack` made.
    """
    return _decoder.decode(body)
