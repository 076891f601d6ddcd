"""What learns beside the shards, on one worker of the group: what shards tell on internal topics in, versions on the
control topic out, by which every shard judges from one instant on.

``learner`` runs one of them and hands it over, ``gathering`` those that learn from what all shards tell, ``slices``
keeps them from holding up the event loop. ``clusters``, ``cuts``, ``lifetimes`` and ``predictions`` are the learners;
what they compute is pure: `stream.cluster`, `stream.cuts`, `stream.predict`. ``control`` reads what was published,
``publishing`` writes definitions, ``naming`` asks for names of clusters, ``versions`` keeps all of it in a file.
"""
