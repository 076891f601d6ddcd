"""Who an event belongs to: one id for each customer, known or anonymous, never the same for two."""

from __future__ import annotations

ANONYMOUS = "anonymous:"
USER = "user:"


def customer_id(user: str | None, anonymous: str | None) -> str | None:
    """The customer's id: the userId as it is, else ``anonymous:`` and the anonymousId; None where there is neither.

    A userId that itself begins with one of the two prefixes gets ``user:`` in front, so that no two customers meet.

    >>> customer_id("c17", "a9"), customer_id(None, "a9"), customer_id("anonymous:a9", None)
    ('c17', 'anonymous:a9', 'user:anonymous:a9')
    """
    if user:
        return USER + user if user.startswith((ANONYMOUS, USER)) else user
    return ANONYMOUS + anonymous if anonymous else None
