"""Pages: one HTML file each, with its style, scripts and pictures inside, that loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["Templates", "data_url"]


class Templates:
    """The templates of a package's folder `templates`, beside the skeleton and the style that all pages share.

    Args:
        package: whose templates.
        filters: functions that its templates call on values, by name.
        tests: those by which they decide.
    """

    def __init__(
        self,
        package: str,
        *,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        tests: Mapping[str, Callable[..., bool]] | None = None,
    ) -> None:
        self._package, self._filters, self._tests = package, filters or {}, tests or {}

    def render(
        self, name: str, *, styles: Sequence[str] = ("page.css",), scripts: Sequence[str] = (), **values: Any
    ) -> str:
        """A template as the text of a page, its stylesheets and scripts inside; only that script may run in it."""
        from markupsafe import Markup

        style, script = ("".join(map(self._source, files)) for files in (styles, scripts))
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
        template = self._environment.get_template(name)
        return template.render(style=Markup(style), script=Markup(script), script_digest=digest, **values)

    @cached_property
    def _environment(self) -> jinja2.Environment:
        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package) for package in (self._package, "stito.pages")]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(self._filters)
        environment.tests.update(self._tests)
        return environment

    def _source(self, name: str) -> str:
        """A stylesheet or script as it is: these are no templates."""
        loader = self._environment.loader
        assert loader is not None
        return loader.get_source(self._environment, name)[0]


def data_url(png: bytes) -> str:
    """A picture as a page holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
