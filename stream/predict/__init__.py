"""Who is still a customer, what they will be worth, who is about to buy. Pure: no I/O, no clock, no logging.

``histories`` is what is learned from; ``alive`` (BG/NBD), ``spend`` (Gamma-Gamma) and ``lifetime`` (their product, over
a horizon, discounted) are fitted in batch and answer for arrays of customers. `stream.features.fading` has the same
answers as scalar functions that numba accepts, with the instant at which each falls below a threshold.

``trainer`` learns online who will buy, from answers that come late (``delayed``); ``propensity`` is what it publishes,
``progress`` how good it turns out to be.
"""
