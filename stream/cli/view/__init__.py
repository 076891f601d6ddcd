"""What `watch` and `demo` show: `source` reads Kafka, `state` knows, `words` and `screen` draw, `show` runs it all."""
