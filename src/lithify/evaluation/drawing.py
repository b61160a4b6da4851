"""From a plot's specification to an SVG picture that follows the colours of the page it stands in.

The picture is drawn once, here, and needs no script and no network to be seen.
"""

from __future__ import annotations

import json
import re

from lithify.evaluation.marks import PALETTE, Spec

_NAMES = {colour: name for name, colour in PALETTE.items()}
_COLOUR = re.compile(r'(fill|stroke)="(#[0-9a-f]{6})"')
_ROOT = re.compile(r'<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)"')


def svg(spec: Spec) -> str:
    """The plot as one ``<svg>`` element; its colours are CSS variables such as ``var(--ink)``, ``#22262b`` otherwise.

    Text in it is escaped by the renderer. A data URL or a link in a specification is not followed.
    """
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    drawn = _COLOUR.sub(_variable, drawn)
    return _ROOT.sub(r"<svg \1", drawn, count=1)


def _variable(match: re.Match[str]) -> str:
    attribute, colour = match.groups()
    name = _NAMES.get(colour)
    return f'{attribute}="var(--{name}, {colour})"' if name else match.group(0)
