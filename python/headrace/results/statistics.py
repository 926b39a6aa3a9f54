"""Confidence intervals for latencies and rates of one run, by resampling blocks of time.

Neighbouring messages wait in the same queue, so their latencies are not independent, and resampling single
messages would make intervals far too narrow. Whole blocks of consecutive messages are resampled instead
(block bootstrap: H. R. Künsch, "The Jackknife and the Bootstrap for General Stationary Observations",
Annals of Statistics 17, 1989). Every function is deterministic for a given generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BLOCKS = 64
RESAMPLES = 2000
#: Above so many different values, values closer than 0.1 % share one place.
_EXACT = 16384


def quantiles(values: npt.NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator) -> Floats:
    """Resampled quantiles of ``values`` (in time order): shape (RESAMPLES, len(shares)).

    ``shares`` are in 0..1; a quantile is the smallest value that at least this share does not exceed.
    Values are those of the input, or within 0.1 % of them. NaN when there are no values.
    """
    if len(values) == 0:
        return np.full((RESAMPLES, len(shares)), np.nan)
    places, inverse = _places(values)
    blocks = min(BLOCKS, len(values))
    owner = np.arange(len(values)) * blocks // len(values)
    counts = np.bincount(inverse * blocks + owner, minlength=len(places) * blocks)
    upto = np.cumsum(counts.reshape(len(places), blocks), axis=0)  # values of each block at or below each place
    weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLES)
    totals = weights @ upto[-1]
    found = [places[_search(upto, weights, np.maximum(np.ceil(totals * s - 1e-9), 1.0))] for s in shares]
    return np.stack(found, axis=1)


def _search(upto: npt.NDArray[np.int64], weights: npt.NDArray[np.int64], ranks: Floats) -> npt.NDArray[np.int64]:
    """For each resample the first place that has at least ``rank`` values at or below it, by bisection."""
    low = np.zeros(len(ranks), np.int64)
    high = np.full(len(ranks), len(upto) - 1)
    while (low < high).any():
        middle = (low + high) // 2
        enough = np.einsum("rb,rb->r", upto[middle], weights) >= ranks
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle + 1)
    return low


def _places(values: npt.NDArray[np.int64]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """(the different values in order, for each value its place); close values share one when there are very
    many."""
    unique, inverse = np.unique(values, return_inverse=True)
    if len(unique) <= _EXACT:
        return unique.astype(float), inverse
    keys = np.sign(values) * np.floor(np.log1p(np.abs(values)) / math.log(1.001))
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.bincount(inverse, weights=values) / counts, inverse


def means(values: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Resampled means of ``values`` (in time order): shape (RESAMPLES,). NaN when there are no values."""
    if len(values) == 0:
        return np.full(RESAMPLES, np.nan)
    parts = np.array_split(values, min(BLOCKS, len(values)))
    sums, sizes = np.array([p.sum() for p in parts], float), np.array([len(p) for p in parts], float)
    weights = rng.multinomial(len(parts), np.full(len(parts), 1 / len(parts)), RESAMPLES)
    return np.asarray((weights @ sums) / (weights @ sizes), dtype=float)


def event_rates(stamps: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Resampled rates (per second) of events at ``stamps`` (ns): shape (RESAMPLES,). NaN for fewer than
    three."""
    ordered = np.sort(stamps)
    gaps = ordered[1:] - ordered[:-1]
    if len(gaps) < 2 or gaps.sum() == 0:
        return np.full(RESAMPLES, np.nan)
    with np.errstate(divide="ignore"):
        return np.asarray(1e9 / means(gaps, rng), dtype=np.float64)


def median_over_repeats(resampled: Sequence[Floats], rng: np.random.Generator) -> Floats:
    """Medians over repeats that are themselves resampled: shape (RESAMPLES,), from one such array per repeat.

    With one repeat only the variation within it is covered.
    """
    stacked = np.stack(resampled)
    picks = rng.integers(len(stacked), size=stacked.shape)
    return np.asarray(np.median(np.take_along_axis(stacked, picks, axis=0), axis=0), dtype=float)


def interval(values: Floats, confidence: float) -> tuple[float, float]:
    """The central interval that holds the share ``confidence`` of ``values``; NaN when some are NaN or
    infinite."""
    if len(values) == 0 or not np.isfinite(values).all():
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
