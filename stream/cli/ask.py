"""Asking a running worker over HTTP, with the token of the settings."""

from __future__ import annotations

import urllib.error
import urllib.request

from stream.errors import UserError
from stream.settings import Settings

#: How long a worker may take to answer, in seconds.
PATIENCE_S = 30.0


def base_of(settings: Settings, worker: str | None) -> str:
    """The address to ask: the one named, else that of the settings' web server."""
    base = worker or f"http://{settings.web.host}:{settings.web.port}"
    if "://" not in base:
        base = f"http://{base}"
    if not base.startswith(("http://", "https://")):
        raise UserError(f"--worker {worker}: expected an address such as http://127.0.0.1:6066")
    return base.rstrip("/")


def ask(settings: Settings, base: str, path: str) -> tuple[int, bytes]:
    """Status and body of what a worker answers; `UserError` where none does, or where it wants another token."""
    request = urllib.request.Request(f"{base}{path}")  # noqa: S310 - http or https, see base_of
    token = settings.web.secret()
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - as above
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise UserError(f"{base} asks for a token: set SEGSTREAM_WEB__TOKEN or web.token_file to its") from error
        return error.code, error.read()
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"no worker answers at {base} ({reason}): start one, or name another with --worker") from error
