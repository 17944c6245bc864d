"""The documentation site: ``sphinx-build -W docs build/docs``."""

from __future__ import annotations

import logging

from dqlabels.version import __version__

# It tells at length what it does not document of itself.
logging.getLogger("great_expectations").setLevel(logging.WARNING)

project = "dqlabels"
author = "The dqlabels developers"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["conf.py"]

html_theme = "furo"
html_title = "dqlabels"
html_copy_source = False
html_show_sphinx = False

autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Options"]
nitpicky = False
