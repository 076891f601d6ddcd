"""What learns to predict beside the stream: what shards tell of their customers, fits in a process of their own, and
versions published for every shard. The statistics are in `stream.predict`."""
