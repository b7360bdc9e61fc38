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


def show_path(model: Any) -> dict[str, Any]:
    """Print what was tried to keep a bound, and return it for the JSON document."""
    path, out = model.path_, output()
    gaps = [
        name for name in path if name.startswith("gap_") and name not in ("gap_low", "gap_high")
    ]
    heading = ["λ", "threshold", "accuracy", "balanced accuracy", "ROC AUC", "gap", "95 % interval"]
    several = gaps if len(gaps) > 1 else []
    heading += [name.removeprefix("gap_") for name in several] + ["within the bound", ""]
    body = []
    for row in path.to_dict("records"):
        names = ["threshold", "accuracy", "balanced_accuracy", "roc_auc", "gap"]
        ends = f"{row['gap_low']:.3f} to {row['gap_high']:.3f}"
        within = ["yes" if row["within"] else "no", "chosen" if row["chosen"] else ""]
        cells = [f"{row['lam']:g}", *(f"{row[name]:.3f}" for name in names), ends]
        body.append([*cells, *(f"{row[name]:.3f}" for name in several), *within])
    out.table("What was tried, on rows that these models did not learn from", heading, body)
    return {
        "lam": model.lam_,
        "threshold": model.threshold_,
        "bound_met": model.bound_met_,
        "path": path,
    }


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
