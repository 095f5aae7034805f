"""How Sphinx builds the textbook: `make docs` writes it to build/site, readable without a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "site"))
# What cells find wherever they run: the pages' own modules, and the programs of this environment.
for variable, folder in {"PYTHONPATH": HERE / "book", "PATH": Path(sys.executable).parent}.items():
    os.environ[variable] = os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])
os.environ["MATPLOTLIBRC"] = str(HERE / "site" / "matplotlibrc")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # pages are read side by side, a process for each core
os.environ["SHELLOPTS"] = "errexit:pipefail"  # a cell of bash fails with the first of its commands that fails

project = "photomend"
author = "The photomend authors"
project_copyright = author
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# Those of docs/site/.
extensions += ["mathml", "reference_pages", "excerpt", "course", "mistakes"]
extensions += ["notebooks", "streams", "lines", "described", "links"]
exclude_patterns = ["_static", "site", "data", "**.ipynb_checkpoints"]

# Pages are Markdown, and notebooks where they begin with a kernel; every cell runs in each build, and none may fail.
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_markdown_format = "myst"  # with tables

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name for name in ["Array", "Constant", "Pullback", "IntOrPair", "Axes", "Scalar", "Shape"]
}
add_module_names = False
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "photomend"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["stepper.js"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_search_scorer = str(HERE / "site" / "scorer.js")
html_show_search_summary = False  # a page that was opened as a file may not read others
html_show_sphinx = False
pygments_style = "default"
pygments_dark_style = "github-dark"


def setup(app: Sphinx) -> None:
    """Kernels with IPython as it comes, not as its user has set it up; quiet about a port that isn't encrypted."""
    profile = Path(app.doctreedir) / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 'ERROR'\n", encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile.parent)
