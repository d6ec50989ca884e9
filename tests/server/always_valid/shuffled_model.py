"""A copy of a model whose weights are shuffled, tensor by tensor: a random model with weights of real sizes.

    shuffled_model.py FROM TO
"""
import json
import random
import shutil
import struct
import sys
from array import array
from pathlib import Path


def shuffled(values: array, rng: random.Random) -> array:
    """Dealt out to heaps and put together again, three times: no element stays by its neighbours."""
    for _ in range(3):
        heaps = rng.randrange(3, max(4, min(len(values), 1000)))
        dealt = [values[heap::heaps] for heap in range(heaps)]
        rng.shuffle(dealt)
        values = array(values.typecode)
        for heap in dealt:
            values.extend(heap)
    return values


def shuffle_safetensors(source: Path, target: Path, seed: int) -> None:
    data = bytearray(source.read_bytes())
    (header_bytes,) = struct.unpack_from("<Q", data)
    begin = 8 + header_bytes
    rng = random.Random(seed)
    for name, tensor in json.loads(data[8:begin]).items():
        if name == "__metadata__":
            continue
        first, last = (begin + offset for offset in tensor["data_offsets"])
        code = {"BF16": "H", "U8": "B"}[tensor["dtype"]]
        data[first:last] = shuffled(array(code, bytes(data[first:last])), rng).tobytes()
    target.write_bytes(data)


def shuffle_model(source: Path, target: Path, seed: int = 1) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.suffix == ".safetensors":
            shuffle_safetensors(path, target / path.name, seed)
        elif path.suffix == ".json":
            shutil.copy(path, target / path.name)


if __name__ == "__main__":
    shuffle_model(Path(sys.argv[1]), Path(sys.argv[2]))
