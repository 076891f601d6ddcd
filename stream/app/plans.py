"""The plans of published definitions: each compiled once, beside those that are in use."""

from __future__ import annotations

from stream.app import bootstrap
from stream.engine.backfill import Backfill
from stream.engine.rows import Rows
from stream.engine.versions import DefinitionsVersion
from stream.errors import UserError
from stream.events.decode import Decoder
from stream.learners.control import Version
from stream.plan.definitions import Definitions
from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from stream.settings import Settings

#: The names and texts of definition files: what a plan is made of.
Texts = tuple[tuple[str, str], ...]


def texts_of(version: DefinitionsVersion) -> Texts:
    """What the plan of a version is made of; versions of equal texts share it."""
    return tuple(sorted(version.files.items()))


class Plans:
    """Plans and decoders by version.  Compiling takes place when a plan is asked for, as is right for a replay.

    Parameters
    ----------
    settings
        Where the cache is, and how to decode.
    replay
        Decode for a replay; see `bootstrap.make_decoder`.
    """

    def __init__(self, settings: Settings, *, replay: bool = False) -> None:
        self.settings = settings
        self._replay = replay
        self._definitions: dict[Texts, Definitions] = {}
        self._plans: dict[Texts, Plan] = {}
        self._decoders: list[tuple[Plan, Decoder]] = []

    def check(self, version: DefinitionsVersion) -> Definitions:
        """The definitions of a version; `DefinitionError` tells all of its mistakes."""
        texts = texts_of(version)
        if texts not in self._definitions:
            self._definitions[texts] = bootstrap.checked(version.files, self.settings)
        return self._definitions[texts]

    def plan_of(self, version: DefinitionsVersion) -> Plan | None:
        """The compiled plan of a version; None: not compiled yet."""
        texts = texts_of(version)
        if texts not in self._plans:
            self._plans[texts] = bootstrap.make_plan(self.check(version), self.settings)
        return self._plans[texts]

    def backfill_of(self, version: DefinitionsVersion, partition: int) -> Backfill | None:
        """A replay rebuilds nothing: what is new starts empty."""
        return Backfill(Rows(self._plans[texts_of(version)], capacity=1), since=version.effective)

    def decoder_of(self, plan: Plan) -> Decoder:
        """What decodes records for a plan."""
        for known, decoder in self._decoders:
            if known is plan:
                return decoder
        decoder = bootstrap.make_decoder(self.settings, plan, replay=self._replay, control=self.read_control)
        self._decoders.append((plan, decoder))
        return decoder

    def read_control(self, value: bytes) -> tuple[int, Version | None]:
        """As `bootstrap.read_control`; definitions with mistakes are as wrong as any broken record."""
        instant, version = bootstrap.read_control(value)
        if isinstance(version, DefinitionsVersion):
            try:
                self.check(version)
            except DefinitionError as error:
                self.refused(version, error)
                raise ValueError(f"version {version.version} of the definitions has mistakes: {error}") from error
            self.seen(version)
        return instant, version

    def seen(self, version: DefinitionsVersion) -> None:
        """Definitions without mistakes were published: they may be asked for soon."""

    def refused(self, version: DefinitionsVersion, error: UserError) -> None:
        """Definitions were published that no shard will ever go by."""
