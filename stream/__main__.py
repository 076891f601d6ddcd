"""``python -m stream`` is the ``segstream`` command."""

from stream.cli import main

main()
