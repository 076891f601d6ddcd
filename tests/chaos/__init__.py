"""``make chaos``: the worker, the group and the broker are broken in every way, and what came out is compared."""
