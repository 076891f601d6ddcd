"""The customers table as Faust sees it: its changelog shares out the shards; its rows are the shards' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import faust
from faust.stores import base
from faust.types import TP


class ShardStore(base.Store[Any, Any]):
    """Reads customers from the shards of this worker. Nothing can be written: rows change in a shard's transaction."""

    def __getitem__(self, key: Any) -> Any:
        customer = cast(Any, self.app).shards.describe(key)
        if customer is None:
            raise KeyError(key)
        return customer

    def __contains__(self, key: object) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("customers are looked up one by one")

    def __len__(self) -> int:
        raise TypeError("customers are counted by the metric segstream_customers")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("rows change in a shard's transaction only")

    def __delitem__(self, key: Any) -> None:
        raise TypeError("rows change in a shard's transaction only")

    def apply_changelog_batch(self, batch: Any, to_key: Any, to_value: Any) -> None:
        """Never called: `stream.kafka.restore` reads the changelog."""

    def persisted_offset(self, tp: TP) -> int | None:
        """None: Faust keeps no rows."""
        return None

    def reset_state(self) -> None:
        """There is no state here."""

    async def backup_partition(self, tp: TP | int, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """There is nothing to back up: the changelog is the copy."""

    def restore_backup(self, tp: TP | int, latest: bool = True, backup_id: int = 0) -> None:
        """There is nothing to back up: the changelog is the copy."""


class CustomerTable(faust.Table[Any, Any]):
    """``app.Table("customers")[customer_id]`` gives segments and features of a customer of this worker."""

    def _new_store(self) -> ShardStore:
        return ShardStore("memory://", self.app, self, table_name=self.name, loop=self.loop)
