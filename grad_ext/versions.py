"""The versions that a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "grad-ext",
    "torch",
    "numpy",
    "pandas",
    "scikit-learn",
    "ray",
    "aif360",
    "fairlearn",
    "tensorflow-cpu",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that a result depends on."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
