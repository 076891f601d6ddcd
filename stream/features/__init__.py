"""Accumulators: how a customer's events become the values that conditions speak of.  One accumulator a file.

Every accumulator follows the contract in :mod:`stream.features.base`; :mod:`stream.features.registry` lists them.
"""
