"""A question that is not answered, and why."""

from __future__ import annotations


class RefusalError(Exception):
    """Ends a request with a status and one sentence for whoever asked; ``headers`` go with the answer."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}
