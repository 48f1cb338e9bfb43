"""Random generators that depend on nothing but what they are for."""

from __future__ import annotations

import hashlib

import numpy as np


def rng_for(seed: int, purpose: str, name: str) -> np.random.Generator:
    """Make the generator of one thing: same seed, purpose and name, same stream of numbers.

    Args:
        seed: The run's seed.
        purpose: What the numbers are for, such as "covering/3" (purpose and epoch).
        name: Which thing they are for, such as a face_id.

    Returns:
        A fresh PCG64 generator, seeded by the BLAKE2b digest of "seed/purpose/name".
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}/{name}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
