"""A real LoRA adapter for the test model, as small as one can be: a GGUF file that changes nothing.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Zeros in ``lora_b`` add zero to the weights.
"""

from __future__ import annotations

import struct
from pathlib import Path

_U32, _F32, _STRING = 4, 6, 8
_TENSOR_F32 = 0
_ALIGNMENT = 32
# SmolLM2-135M: embedding length 576, and a query projection of 576 by 576.
_WIDTH = 576
_RANK = 4


def write_adapter(path: Path, *, alpha: float = 8.0) -> Path:
    """Write the adapter; another ``alpha`` makes another file of the same effect."""
    fields = [
        _field("general.architecture", _STRING, _string("llama")),
        _field("general.type", _STRING, _string("adapter")),
        _field("adapter.type", _STRING, _string("lora")),
        _field("adapter.lora.alpha", _F32, struct.pack("<f", alpha)),
        _field("general.alignment", _U32, struct.pack("<I", _ALIGNMENT)),
    ]
    tensors = {
        "blk.0.attn_q.weight.lora_a": (_WIDTH, _RANK),
        "blk.0.attn_q.weight.lora_b": (_RANK, _WIDTH),
    }
    size = 4 * _WIDTH * _RANK
    infos = b"".join(
        _string(name) + struct.pack("<I2QIQ", 2, *shape, _TENSOR_F32, number * size)
        for number, (name, shape) in enumerate(tensors.items())
    )
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields)) + b"".join(fields) + infos
    head += b"\0" * (-len(head) % _ALIGNMENT)
    path.write_bytes(head + b"\0" * size * len(tensors))
    return path


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _field(name: str, kind: int, value: bytes) -> bytes:
    return _string(name) + struct.pack("<I", kind) + value
