"""The one exception that is shown to people instead of a traceback."""


class UserError(Exception):
    """Something the person at the keyboard can mend: one clear sentence says what, where and what to do.

    The command line prints the message and exits with ``exit_code``; a traceback would only hide it.
    """

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
