"""The errors that a user of grad-ext can act on.

Each is also a built-in error, so that callers can catch it without importing this module. The
command line prints them as one line and exits with code 2; any other exception is a defect and
shows its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """An input cannot be used; the message has the expected and the actual value."""


class MissingToolkit(ImportError):
    """A required toolkit is not installed; the message names the extra that installs it.

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
    """Return the error for an unknown name, with the nearest known names first.

    Parameters
    ----------
    what : str
        What is named, such as 'column'.
    name : object
        The unknown name.
    known : iterable of str
        The known names.
    of : str, optional
        What the names belong to, such as a data set.
    """
    names = list(known)
    near = get_close_matches(str(name), names, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    whose = f" of {of!r}" if of else ""
    return InputError(
        f"unknown {what} {name!r}{whose}: {hint}there are {', '.join(map(repr, names))}"
    )


class ConstantPredictionWarning(UserWarning):
    """A model predicts the same label for all rows, so that a Discrimination of 0 means nothing."""


class NearlyConstantWarning(ConstantPredictionWarning):
    """A model's labels are as good as constant: see `grad_ext.metrics.constant.nearly_constant`."""


class BoundWarning(UserWarning):
    """No model is surely within a bound on the gap, or none of those predicts better than a constant."""


class UnusedColumnWarning(UserWarning):
    """A column of the training rows tells nothing about other rows and is left out."""


class UnseenValuesWarning(UserWarning):
    """Rows have values that no training row had, about which the model learned nothing."""
