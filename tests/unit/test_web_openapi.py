"""The description of the API is one, and says of every endpoint what it takes and gives."""

from __future__ import annotations

from typing import Any

from openapi_spec_validator import validate

from stream.plan.definitions import Definitions
from stream.settings import Settings
from stream.web.endpoint import Endpoint
from stream.web.openapi import describe
from stream.web.site import add_site
from tests.conftest import REPOSITORY
from tests.integration.counting_worker import counting_app


def endpoints() -> list[Endpoint]:
    """All of a worker's."""
    app = counting_app("t", "127.0.0.1:1", 1)
    return add_site(app, Settings(), Definitions(())).endpoints


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Path and operation."""
    return [(path, item["get"]) for path, item in document["paths"].items()]


def test_it_follows_the_specification() -> None:
    """With a token and without."""
    for token in (True, False):
        validate(describe(endpoints(), token=token))


def test_every_part_of_a_path_and_every_word_is_described() -> None:
    """For whoever writes a client and has nothing else."""
    for path, operation in operations(describe(endpoints(), token=True)):
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert [one["name"] for one in operation["parameters"] if not one["description"]] == []
        assert operation["summary"].endswith(".")
        assert {"200", "400", "429"} <= operation["responses"].keys()


def test_what_needs_a_token_says_so() -> None:
    """Health and the description itself need none."""
    document = describe(endpoints(), token=True)
    free = {path for path, operation in operations(document) if "security" not in operation}
    assert free == {"/health/live", "/health/ready", "/openapi.json"}
    assert all("security" not in operation for _, operation in operations(describe(endpoints(), token=False)))


def test_every_endpoint_is_in_the_readme() -> None:
    """An answer nobody knows to ask for does not exist."""
    readme = (REPOSITORY / "README.md").read_text()
    paths = [one.path for one in endpoints()]
    short = [
        path.replace("{customer_id}", "ID").replace("{dimension}", "D").replace("{segment}", "S") for path in paths
    ]
    assert [path for path in short if f"`{path}" not in readme] == []
