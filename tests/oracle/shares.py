"""The oracle's random orders of customers.  See :mod:`tests.oracle`."""

from __future__ import annotations

import hashlib


def hashed(text: str) -> bytes:
    """Eight bytes of BLAKE2b; were they all zero, the number one instead."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return digest if any(digest) else b"\x01" + bytes(7)


def signed(text: str) -> int:
    """The hash as a number, by which texts at one instant are ordered."""
    return int.from_bytes(hashed(text), "little", signed=True)


def share_of(customer: str, name: str) -> float:
    """The customer's place in the random order that a name gives all customers."""
    return float(murmur3(hashed(customer), int.from_bytes(hashed(name)[:4], "little")) / 2**32)


def murmur3(data: bytes, seed: int) -> int:
    """MurmurHash3_x86_32 of whole four-byte blocks, after its author's description."""
    h = seed
    for start in range(0, len(data), 4):
        k = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 % 2**32
        k = rotated(k, 15) * 0x1B873593 % 2**32
        h = (rotated(h ^ k, 13) * 5 + 0xE6546B64) % 2**32
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def rotated(x: int, by: int) -> int:
    """32 bits turned to the left."""
    return (x << by | x >> 32 - by) % 2**32
