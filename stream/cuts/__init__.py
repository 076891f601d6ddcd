"""Cuts by share of the customers: what a shard tells of its customers, and how all of it becomes thresholds."""
