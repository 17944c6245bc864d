"""The documentation site: ``sphinx-build -W docs build/docs``."""

from __future__ import annotations

import logging

from sphinx.application import Sphinx

from dqlabels.version import __version__

# It tells at length what it does not document of itself.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

project = "dqlabels"
author = "The dqlabels developers"
copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["conf.py", "templates"]
templates_path = ["templates"]

html_theme = "furo"
html_title = "dqlabels"
html_copy_source = False
html_show_sphinx = False
html_domain_indices = False

autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Options"]
nitpicky = False

# A page for each name that api.md lists, written into docs/api/ at each build.
autosummary_context = {
    # What people type where it is not the path to import.
    "titles": {
        "dqlabels.accessor.LabelsAccessor": "df.labels",
        "dqlabels.report.charts.Charts": "audit.plot",
        "dqlabels.audits.values.charts.ValueCharts": "audit.plot of numbers",
        "dqlabels.audits.tags.charts.TagCharts": "audit.plot of several labels per row",
        "dqlabels.audits.annotators.charts.AnnotatorCharts": "audit.plot of several annotators",
    },
    # Made by the package from what callers pass; their fields are what people read.
    "without_members": ["dqlabels.Limits", "dqlabels.Options"],
}
# Words that people search a page by and that others hold as well: entries of the index, which the search puts first.
SEARCHED_BY = {
    "gates": ("gate", "which limit"),
    "gpu": ("cuda",),
    "guide-data-engineer": ("every night", "gate nightly", "nightly gate", "nightly job"),
    "noise-rate": ("noise rate", "how many labels are wrong", "how many are wrong"),
}
# Where capitals alone tell two files apart, some file systems keep one of them.
autosummary_filename_map = {
    "dqlabels.audit": "audit",
    "dqlabels.checkup": "checkup",
    "dqlabels.accessor.LabelsAccessor": "df.labels",
}


def add_words(_: Sphinx, docname: str, source: list[str]) -> None:
    """Add the words by which a page is searched to the index, as its main entries."""
    words = SEARCHED_BY.get(docname)
    if words:
        source[0] += "\n```{index} " + ", ".join(f"! {word}" for word in words) + "\n```\n"


def setup(app: Sphinx) -> None:
    """Connect what this file adds to a build."""
    app.connect("source-read", add_words)
