"""How Sphinx makes the site of these pages: `make docs`.

The pages are Markdown that reads well where the code is hosted too, so what only a site can do is
done here: the reference of docs/api, the gallery of docs/examples, whose programs run for it, and the
figure of docs/method.md, which becomes a part of its page so that a reader can step through it.
"""

# Attributes of what is looked up at run time.
# mypy: disable-error-code="attr-defined"

import logging
from pathlib import Path
from typing import Any

from docutils import nodes
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

from grad_ext import __version__

project = "grad-ext"
author = "The grad-ext maintainers"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]

myst_heading_anchors = 3

default_role = "py:obj"
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc's sections have the types
numpydoc_show_class_members = False  # the template of a class lists them

html_theme = "pydata_sphinx_theme"
html_title = "grad-ext"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["steps.js"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    # Pages whose tables are wide have the room of the list of their parts.
    "secondary_sidebar_items": {"**": ["page-toc"], "comparison": [], "reproduction": []},
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
project_copyright = "the grad-ext maintainers, Apache License 2.0"


def drawn(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the pictures that a program has made: pyplot's, and those of grad-ext, which it knows not."""
    made = matplotlib_scraper(block, block_vars, gallery_conf)
    paths = []
    for value in block_vars["example_globals"].values():
        if (
            isinstance(value, Figure)
            and not hasattr(value, "number")
            and not hasattr(value, "saved")
        ):
            paths.append(next(block_vars["image_path_iterator"]))
            value.savefig(paths[-1], dpi=150)
            value.saved = True
    return str(made) + str(figure_rst(paths, gallery_conf["src_dir"]))


sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "image_scrapers": (drawn,),
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "copyfile_regex": "",
    "show_memory": False,
    "min_reported_time": 1000,
    "write_computation_times": False,
    "show_signature": False,
}
# A function among the settings cannot be kept from one build to the next; each begins from scratch.
suppress_warnings = ["config.cache"]

# AIF360 says on import which of its optional parts are missing; here nobody asks for them.
logging.getLogger().addFilter(lambda record: "unavailable" not in record.getMessage())

# Images that become a part of their page: an <img> cannot be stepped through, nor follow the theme.
INLINE = {"images/grad.svg"}


def inline(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Put the figures named in `INLINE` into a page as SVG elements, with its words as the label."""
    if app.builder.format != "html":
        return
    for image in list(doctree.findall(nodes.image)):
        if image["uri"] in INLINE:
            svg = (Path(app.srcdir) / image["uri"]).read_text(encoding="utf-8")
            image.replace_self(nodes.raw("", svg, format="html"))


def made_by_scikit_learn(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Leave out the requests of metadata routing, whose words point into scikit-learn's own guide."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("doctree-resolved", inline)
    app.connect("autodoc-skip-member", made_by_scikit_learn)
