"""All problems of a file at once, each with the options that solve it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from grad_ext.data.lists import joined
from grad_ext.errors import InputError


class Problems:
    """The problems that were found, for one error.

    Parameters
    ----------
    of : str
        What they are the problems of.
    given : mapping of str to sequence
        Lists among the options that are given already, which the advised ones extend.
    """

    def __init__(self, of: str, given: Mapping[str, Any]) -> None:
        self.of = of
        self._given = given
        self._texts: dict[str, str] = {}
        self._remedies: dict[str, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, text: str, **remedy: str) -> None:
        """Add a problem.

        Parameters
        ----------
        text : str
            What was expected and what came.
        **remedy : str
            The options that solve it: ``drop`` and other lists a name, ``missing`` a choice.
        """
        if text in self._texts:
            return
        own = {name: [value] if name != "missing" else value for name, value in remedy.items()}
        # Some texts name options themselves.
        self._texts[text] = f" ({_options(own)})" if own and "--" not in text else ""
        for name, value in remedy.items():
            if name == "missing":
                self._remedies[name] = value
            else:
                known = self._remedies.setdefault(name, [*(self._given.get(name) or ())])
                if value not in known:
                    known.append(value)

    def check(self) -> None:
        """Raise all problems as one error.

        Raises
        ------
        InputError
            If there is a problem.
        """
        if not self._texts:
            return
        advice = ""
        if self._remedies:
            python = ", ".join(f"{name}={value!r}" for name, value in self._remedies.items())
            advice = f"on the command line {_options(self._remedies)}, in Python {python}"
        if len(self._texts) == 1:
            text = next(iter(self._texts))
            raise InputError(f"{self.of}: {text}" + (f"; {advice}" if advice else ""))
        lines = [f"{self.of} has {len(self._texts)} problems:"]
        numbered = enumerate(self._texts.items(), 1)
        lines += [f"{number}. {text}{options}" for number, (text, options) in numbered]
        if advice:
            lines.append(f"All at once: {advice}")
        raise InputError("\n".join(lines))


def _options(remedies: Mapping[str, Any]) -> str:
    """Return options as they are typed."""
    words = []
    for name, value in remedies.items():
        text = value if isinstance(value, str) else joined(value)
        words += [f"--{name.replace('_', '-')}", shlex.quote(text)]
    return " ".join(words)
