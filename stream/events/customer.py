"""Who an event belongs to: one id for each customer, known or anonymous, never the same for two."""

from __future__ import annotations

ANONYMOUS = "anonymous:"
USER = "user:"
_PREFIX = (ANONYMOUS.encode(), USER.encode())


def customer_id(user: str | None, anonymous: str | None) -> str | None:
    """The customer's id: the userId as it is, else ``anonymous:`` and the anonymousId; None where there is neither.

    A userId that itself begins with one of the two prefixes gets ``user:`` in front, so that no two customers meet.

    >>> customer_id("c17", "a9"), customer_id(None, "a9"), customer_id("anonymous:a9", None)
    ('c17', 'anonymous:a9', 'user:anonymous:a9')
    """
    if user:
        return USER + user if user.startswith((ANONYMOUS, USER)) else user
    return ANONYMOUS + anonymous if anonymous else None


def ids_of(customer: str) -> tuple[str | None, str | None]:
    """The userId or the anonymousId that a customer's id was made of; ValueError where it can be no customer's.

    >>> ids_of("c17"), ids_of("anonymous:a9"), ids_of("user:anonymous:a9")
    (('c17', None), (None, 'a9'), ('anonymous:a9', None))
    """
    ids: tuple[str | None, str | None] = (customer.removeprefix(USER), None)
    if customer.startswith(ANONYMOUS):
        ids = (None, customer.removeprefix(ANONYMOUS))
    if customer_id(*ids) != customer:
        raise ValueError(f"{customer!r} is no customer's id")
    return ids


def partition_key(customer: bytes) -> bytes:
    """The key under which producers send this customer's events: the userId, else the anonymousId.

    >>> partition_key(b"c17"), partition_key(b"anonymous:a9"), partition_key(b"user:anonymous:a9")
    (b'c17', b'a9', b'anonymous:a9')
    """
    for prefix in _PREFIX:
        if customer.startswith(prefix):
            return customer[len(prefix) :]
    return customer
