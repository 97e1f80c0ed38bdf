"""HTML pages from templates that lie beside the code: everything escaped, nothing fetched."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup


def page_templates(folder: str | Path) -> jinja2.Environment:
    """Return the environment of a folder of templates.

    Parameters
    ----------
    folder : path-like
        Holds the templates, and the styles and scripts that they write into a page with
        ``asset(name)``, so that the page needs nothing else.

    Returns
    -------
    jinja2.Environment
        Escapes what is put in, and stops at a name that nobody gave.
    """
    folder = Path(folder)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

    def asset(name: str) -> Markup:
        return Markup((folder / name).read_text(encoding="utf-8"))

    environment.globals["asset"] = asset
    return environment
