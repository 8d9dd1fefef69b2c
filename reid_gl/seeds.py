"""The range of seeds, the same for every command and every setting."""

from __future__ import annotations

NUM_SEEDS = 2**63
"""Seeds are the whole numbers from 0 to this number, without it; every random generator accepts them."""


def check_seed(seed: int) -> None:
    """Refuse a seed that a random generator would not accept.

    Raises:
        ValueError: the seed is not in [0, NUM_SEEDS).
    """
    if not 0 <= seed < NUM_SEEDS:
        raise ValueError(f"the seed must lie in [0, {NUM_SEEDS}), got {seed}")
