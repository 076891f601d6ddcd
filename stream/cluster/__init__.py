"""Clusters of customers: a model is learned in one place, published as versions, and assigned with everywhere.

``trainer`` learns, ``model`` is what it publishes, ``wire`` the format of the internal topic of vectors. Pure: no I/O,
no clock, no logging; `stream.learners` runs it.
"""
