"""Ways to damage a file, each a draw of a NumPy generator."""

import copy
import json
import re
import struct
import zlib

import numpy as np

# What a field of a text may say instead.
ODD_TEXTS = (
    "",
    "-1",
    "0",
    "1e999",
    "-1e400",
    "NaN",
    "Infinity",
    "99999999999999999999999",
    "9" * 5000,
    "0.1.2",
    "true",
    "null",
    "[]",
    "{}",
    "../../secret",
    "/etc/hostname",
    "\0",
    "\r",
    '"',
    "'",
    "\ufeff",
    "\u2028",
    "<script>alert(1)</script>",
    "$\\frac{$",
    "a" * 200000,
    "[" * 100000,
    "{'a':" * 5000,
    "(" * 2000,
    "/*",
)
ODD_VALUES = (
    None,
    True,
    0,
    -1,
    10**30,
    2**63,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "../../secret",
    "/etc/hostname",
    "a\0b",
    "\ud800",
    "<script>",
    [],
    {},
    [[]],
    {"a": 1},
    ["x", 2],
)
_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_WORD = re.compile(rb"[\w./-]+")


def damage(data, random, other=b""):
    """One to three random changes of a file's bytes."""
    for _ in range(random.integers(1, 4)):
        change = _BINARY[random.integers(len(_BINARY))]
        data = change(data, random, other)
    return data


def cut(data, random):
    """What comes before a random byte; never all."""
    return data[: random.integers(len(data))]


def damage_text(data, random, other=b""):
    """Random changes of a text's fields and lines, or of its bytes."""
    for _ in range(random.integers(1, 4)):
        change = _TEXT[random.integers(len(_TEXT))]
        data = change(data, random, other)
    return data


def damage_json(text, random):
    """Another JSON: a random value replaced, removed or moved."""
    tree = json.loads(text)
    for _ in range(random.integers(1, 3)):
        holders = list(_holders(tree))
        if not holders:
            break
        holder = holders[random.integers(len(holders))]
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = keys[random.integers(len(keys))]
        fate = random.integers(4)
        if fate == 0:
            del holder[key]
        elif fate == 1 and isinstance(holder, dict):
            holder["new"] = holder.pop(key)
        else:
            odd = ODD_VALUES[random.integers(len(ODD_VALUES))]
            holder[key] = copy.deepcopy(odd)
    return json.dumps(tree)


def swap_png_chunks(data, random):
    """A PNG whose chunks are damaged and checked again, or out of order."""
    chunks, place = [], 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        chunks.append(data[place + 4 : place + 8 + length])
        place += 12 + length
    first, second = random.integers(len(chunks), size=2)
    if random.integers(2):
        chunks[first], chunks[second] = chunks[second], chunks[first]
    else:
        body = damage(chunks[first][4:] or b"\0", random)
        chunks[first] = chunks[first][:4] + body
    return data[:8] + b"".join(
        struct.pack(">I", len(chunk) - 4)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


def _holders(tree):
    if isinstance(tree, dict | list) and tree:
        yield tree
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _holders(value)


def _range(data, random):
    start = int(random.integers(len(data) + 1))
    longest = max(1, min(len(data) - start, 1 << random.integers(1, 12)))
    return start, start + int(random.integers(1, longest + 1))


def _flip(data, random, other):
    changed = bytearray(data)
    for _ in range(random.integers(1, 9)):
        if changed:
            changed[random.integers(len(changed))] ^= 1 << random.integers(8)
    return bytes(changed)


def _cut(data, random, other):
    return cut(data, random) if data else data


def _zero(data, random, other):
    start, stop = _range(data, random)
    return data[:start] + bytes(len(data[start:stop])) + data[stop:]


def _noise(data, random, other):
    start, stop = _range(data, random)
    return data[:start] + random.bytes(len(data[start:stop])) + data[stop:]


def _splice(data, random, other):
    start, stop = _range(data, random)
    other = other or data
    begin, end = _range(other, random)
    return data[:start] + other[begin:end] + data[stop:]


def _remove(data, random, other):
    start, stop = _range(data, random)
    return data[:start] + data[stop:]


def _swap(data, random, other):
    size = 1 << int(random.integers(2, 9))
    if len(data) < 2 * size:
        return data
    first, second = sorted(random.integers(len(data) - size, size=2))
    if second < first + size:
        return data
    return b"".join(
        (
            data[:first],
            data[second : second + size],
            data[first + size : second],
            data[first : first + size],
            data[second + size :],
        )
    )


def _number(data, random, other):
    """A field of 1 to 8 bytes says something extreme."""
    size = 1 << int(random.integers(4))
    if len(data) < size:
        return data
    # Headers have more fields than bodies.
    end = len(data) - size + 1
    end = min(end, 512) if random.integers(2) else end
    place = int(random.integers(end))
    value = _EXTREMES[random.integers(len(_EXTREMES))] % 256**size
    order = ("little", "big")[random.integers(2)]
    return data[:place] + value.to_bytes(size, order) + data[place + size :]


def _replace(pattern):
    def change(data, random, other):
        found = list(pattern.finditer(data))
        if not found:
            return data
        one = found[random.integers(len(found))]
        text = ODD_TEXTS[random.integers(len(ODD_TEXTS))].encode()
        return data[: one.start()] + text + data[one.end() :]

    return change


def _lines(data, random, other):
    lines = data.split(b"\n")
    first, second = random.integers(len(lines), size=2)
    fate = random.integers(3)
    if fate == 0:
        del lines[first]
    elif fate == 1:
        lines.insert(first, lines[second])
    else:
        lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


_BINARY = (_flip, _cut, _zero, _noise, _splice, _remove, _swap, _number)
_BINARY += (_number, _flip)
_TEXT = (_replace(_NUMBER), _replace(_WORD), _lines, _flip, _cut, _splice)
_TEXT += (_replace(_NUMBER), _noise)


def generator(seed, target, index):
    """The draws of one case: the same in any order, on any machine."""
    return np.random.default_rng((seed, zlib.crc32(target.encode()), index))
