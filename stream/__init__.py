"""segstream: behavioural customer segments, the second they change."""
