"""Clusters of customers: a model is learned in one place, published as versions, and assigned with everywhere.

``model`` and ``trainer`` are pure. ``wire`` is the format of the internal topic of vectors. ``control`` reads published
versions, ``service`` runs the trainer; these two talk to Kafka.
"""
