"""The command line: one file a command, imported only when that command runs, so that help is instant."""

from __future__ import annotations

import importlib
import sys

import click

from stream.errors import UserError

#: command name -> its module under ``stream.cli``, which defines a click command called ``command``.
COMMANDS = {
    "backfill": "backfill",
    "broker": "broker",
    "check": "check",
    "clusters": "clusters",
    "cost": "cost",
    "deadletters": "deadletters",
    "demo": "demo",
    "diff": "diff",
    "explain": "explain",
    "forget": "forget",
    "load": "load",
    "members": "members",
    "predictions": "predictions",
    "publish": "publish",
    "replay": "replay",
    "simulate": "simulate",
    "topics": "topics",
    "versions": "versions",
    "watch": "watch",
    "worker": "worker",
}


#: Exit code after Ctrl-C, as shells have it.
STOPPED = 130


class LazyGroup(click.Group):
    """A click group that imports a command's module at its first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"stream.cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="segstream", prog_name="segstream")
def cli() -> None:
    """Behavioural customer segments, the second they change.

    Reads clickstream and purchase events from Kafka (or from a file, with `replay`), keeps the state of every
    customer, and emits a segment change the moment one becomes true.
    """


def main() -> None:
    """Entry point of the ``segstream`` command: a mistake of the user is one sentence and an exit code."""
    try:
        code = cli.main(prog_name="segstream", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.Abort:
        click.secho("segstream: stopped", err=True)
        sys.exit(STOPPED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.secho(f"segstream: {error}", err=True, fg="red")
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a folder that may not be written: nothing of ours is wrong
        where = f"{error.filename}: " if error.filename else ""
        click.secho(f"segstream: {where}{error.strerror or error}", err=True, fg="red")
        sys.exit(1)


if __name__ == "__main__":
    main()
