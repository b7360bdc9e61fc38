"""The errors that a user of grad-ext can act on.

Both are also the built-in error that a caller would expect, so nobody has to import this module to
catch them. The command line prints them as one line and exits with code 2; anything else is a
defect and shows its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """What was given cannot be used; the message says what was expected and what came."""


class MissingToolkit(ImportError):
    """A toolkit that this call needs is not installed; the message names the extra that brings it.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of grad-ext that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; pip install 'grad-ext[{extra}]' brings it")


def unknown(what: str, name: object, known: Iterable[str], of: str = "") -> InputError:
    """Return the error for a name that is not among those known (of something), nearest first."""
    names = list(known)
    near = get_close_matches(str(name), names, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    whose = f" of {of!r}" if of else ""
    return InputError(
        f"unknown {what} {name!r}{whose}: {hint}there are {', '.join(map(repr, names))}"
    )


class ConstantPredictionWarning(UserWarning):
    """A model predicts one label for everybody: it looks perfectly fair and is of no use."""
