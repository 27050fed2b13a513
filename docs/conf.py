"""Configuration of the site: ``make docs`` builds it, with warnings as errors and no network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from hzau_omics import __version__

project = "hzau_omics"
author = "The hzau_omics developers"
copyright = author  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "pages.extension",
]
exclude_patterns = ["_build", "pages", "static"]
nitpicky = True
# Names of other packages: their pages are not read, since nothing is fetched.
nitpick_ignore_regex = [
    ("py:.*", r"(?!hzau_omics\.)[\w.\[]+"),
    ("py:.*", r"hzau_omics\.(\w+\.\w+\..*|minibatch\.Minibatch)"),
]

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
toc_object_entries = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
# Copied into the site by pages.extension, from an installed package.
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"svg": {"fontCache": "local"}}
copybutton_prompt_text = ">>> "

html_theme = "sphinx_book_theme"
html_title = "hzau_omics"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "pygments_light_style": "default",
    "pygments_dark_style": "github-dark-high-contrast",
}
