"""How often customers of BG/NBD will buy while alive: `stream.features.fading.purchases_if_alive` for arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stream.features.fading import FAR, LARGE, LOG_LARGE, MOST_TERMS, REST, purchases_if_alive

Floats = NDArray[np.float64]

#: Terms between two looks at who is done.
STRIDE = 16


def purchases_while_alive(s: ArrayLike, a: float, b: ArrayLike, tau: ArrayLike) -> Floats:
    """Each customer's purchases within ``tau``: the same sum in the same order; whoever is done leaves it."""
    columns = np.broadcast_arrays(*(np.asarray(column, np.float64) for column in (s, b, tau)))
    shape = columns[0].shape
    s_, b_, tau_ = (column.ravel() for column in columns)
    answer = np.zeros(len(s_))
    far = s_ * tau_ + 40.0 * (1.0 + tau_) > FAR
    for place in np.flatnonzero(far).tolist():
        answer[place] = purchases_if_alive(float(s_[place]), a, float(b_[place]), float(tau_[place]))
    left = np.flatnonzero((tau_ > 0) & ~far)
    s_, b_, tau_ = s_[left], b_[left], tau_[left]
    z = tau_ / (1.0 + tau_)
    log_scale = -s_ * np.log1p(tau_)
    scale = np.exp(log_scale)
    chance, survives, made, total = np.ones(len(left)), np.ones(len(left)), np.zeros(len(left)), np.zeros(len(left))
    for k in range(MOST_TERMS):
        ratio = z * (s_ + k) / (k + 1.0)
        chance *= ratio
        made += survives
        survives *= (b_ + k) / (a + b_ + k)
        large = chance > LARGE
        if large.any():
            chance[large] /= LARGE
            log_scale[large] += LOG_LARGE
            scale[large] = np.exp(log_scale[large])
        term = chance * scale * made
        total += term
        if k % STRIDE and k < MOST_TERMS - 1:
            continue
        falls = np.maximum(ratio, z) * (k + 2.0) / (k + 1.0)
        stays = (falls >= 1.0) | (term * falls > REST * (1.0 - falls) * total)
        answer[left] = total
        if not stays.any():
            break
        kept = (s_, b_, z, log_scale, scale, chance, survives, made, total, left)
        s_, b_, z, log_scale, scale, chance, survives, made, total, left = (column[stays] for column in kept)
    return answer.reshape(shape)
