"""Random seeds: drawing one, and deriving independent ones from it."""

import secrets

MAX_SEED = 2**32 - 1
"""The largest seed that both NumPy and scikit-learn accept."""


def draw_seed() -> int:
    """Draws a fresh seed from the operating system, between 0 and `MAX_SEED`."""
    return secrets.randbelow(MAX_SEED + 1)


def derive_seed(seed: int, *path: str) -> int:
    """Derives an independent seed for one named part of the work.

    Integers and not generators, because scikit-learn takes no `numpy.random.Generator`. The same
    seed and path give the same result on every machine.

    Args:
        seed: The seed of the whole run.
        path: The names that lead to the part, such as `"pipeline", "model"`.

    Returns:
        An integer between 0 and `MAX_SEED`.

    >>> derive_seed(7, "model") == derive_seed(7, "model")
    True
    >>> derive_seed(7, "model") == derive_seed(7, "encoder")
    False
    """
    import numpy as np

    key = [int.from_bytes(part.encode(), "big") for part in path]
    return int(np.random.SeedSequence([seed, *key]).generate_state(1)[0])
