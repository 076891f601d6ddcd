"""What a worker answers over HTTP: the API, the page, metrics and health."""
