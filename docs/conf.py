"""How the pages are built; see the target `docs` of the Makefile."""

project = "Lithify"
author = copyright = "The Lithify authors"
extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Lithify"
html_show_sourcelink = False
nitpicky = True
