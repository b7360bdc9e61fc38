"""What the commands about one model share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from grad_ext.cli.output import output
from grad_ext.errors import InputError

if TYPE_CHECKING:
    from grad_ext.models.held_out import HeldOut


def checked_file(option: str, path: Path | None) -> None:
    """Check that a file can be written.

    Raises
    ------
    InputError
        If it is a folder, or its folder does not exist.
    """
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise InputError(
            f"{option}: expected a file in an existing folder, got {path}"
            f"{', a folder' if path.is_dir() else ''}"
        )


def show_held_out(result: HeldOut) -> dict[str, Any]:
    """Print the metrics of a model, and return them for the JSON document."""
    out = output()
    out.table(f"Metrics on {result.rows}", *result.lines())
    out.table("By group", *result.group_lines())
    sentences = result.sentences()
    out.sentences(sentences)
    return {
        "rows": result.rows,
        "metrics": result.metrics.rename_axis("metric").reset_index(),
        "groups": result.groups,
        "constant": result.constant,
        "sentences": sentences,
    }
