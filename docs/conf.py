"""The settings of the documentation: ``nox -s docs`` builds it."""

from importlib import metadata

project = "aiodiscovery"
copyright = "the aiodiscovery maintainers"  # noqa: A001  # Sphinx's name for it
author = "the aiodiscovery maintainers"
release = metadata.version("aiodiscovery")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"aiodiscovery {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
# Types of parameters go where the parameters are described: signatures stay short.
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autoclass_content = "class"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

intersphinx_mapping: dict[str, tuple[str, None]] = {}
