"""Near-duplicate groups by MinHash, so that copies of one text never straddle a split.

A text is the set of its overlapping word triples. One hash of each triple falls into one of 128 bins and the smallest
hash of a bin is kept (one-permutation hashing), empty bins borrow from the next full one (densification by rotation),
and 16 bits of each are stored (b-bit MinHash). The share of equal bins estimates the Jaccard similarity.
Rows that agree in one of 32 bands of four bins are compared, and joined when at least ``THRESHOLD`` of the bins agree;
at that similarity a pair is compared with a probability of 0.9998.

Sources: Broder 1997, "On the resemblance and containment of documents"; Li, Owen, Zhang 2012, "One Permutation
Hashing"; Shrivastava, Li 2014, "Densifying One Permutation Hashing via Rotation"; Li, König 2010, "b-Bit Minwise
Hashing".
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from lithify.kernels import compiled

BINS = 128
BANDS = 32
THRESHOLD = 0.7
MAX_BYTES = 64 * 1024
"""How much of a text is looked at."""

REVISION = 2
"""Changes whenever equal texts could get other signatures."""


def signature(text: bytes) -> NDArray[np.uint16]:
    """MinHash signature of a text, (128,) uint16.

    Words are runs of ASCII letters, digits and bytes above 127; the case of ASCII letters is folded. A text of fewer
    than three words has a signature made of all its bytes, so it is near nothing but itself.

    >>> a = signature(b"one two three four five six seven eight nine ten")
    >>> b = signature(b"One two  three four five six seven eight nine ten!")
    >>> similarity(a, b)
    1.0
    """
    data = np.frombuffer(text[:MAX_BYTES], dtype=np.uint8)
    return np.asarray(_kernels().signature(data))


def similarity(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> float:
    """Share of equal bins, an estimate of the Jaccard similarity of two texts."""
    return float((a == b).mean())


def groups(signatures: NDArray[np.uint16], *together: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Joins near-duplicate rows.

    Parameters
    ----------
    signatures : (n, 128) uint16, or (n, 4) where only equal ones are joined, as for rows of a table
    together : (n,) uint64, any number of them
        Rows with the same code other than 0 are joined whatever their signatures.

    Returns
    -------
    (n,) int64
        For each row, the smallest row number of its group.

    Examples
    --------
    >>> texts = [b"one two three four five", b"something else, not like that", b"One two three: four five!"]
    >>> groups(np.array([signature(text) for text in texts])).tolist()
    [0, 1, 0]
    """
    n = len(signatures)
    parent = np.arange(n, dtype=np.int64)
    kernels = _kernels()
    limit = int(np.ceil(THRESHOLD * signatures.shape[1]))
    signatures = np.ascontiguousarray(signatures)
    bands = signatures.view(np.uint64)
    for band in range(bands.shape[1]):
        code = np.ascontiguousarray(bands[:, band])
        kernels.join(signatures, code, np.argsort(code, kind="stable"), limit, parent)
    for code in together:
        named = np.flatnonzero(code)
        kernels.unite(code, named[np.argsort(code[named], kind="stable")], parent)
    kernels.flatten(parent)
    return parent


def _kernels() -> ModuleType:
    return compiled("lithify.data.minhash")
