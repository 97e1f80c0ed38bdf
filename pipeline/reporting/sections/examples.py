"""Section of the example images that a study names."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.reporting.blocks import Block, Figure, Paragraph, Section
from pipeline.reporting.figures.example_images import DrawnPanel, example_figure
from pipeline.reporting.result_files import ExamplePanel
from pipeline.reporting.results import Results
from pipeline.reporting.wording import number, plural

_CHOSEN = (
    "The authors chose these images to illustrate. They show single patients, say nothing of how "
    "often a finding is, and took no part in any analysis."
)


def examples_section(results: Results) -> Section:
    """Build the section on example images; without any it has no block."""
    blocks: list[Block] = []
    for place, figure in enumerate(results.examples, start=1):
        name = f"example-images-{place}"
        drawn = [
            DrawnPanel(one.pixels, one.mask, one.polygon, one.spacing, one.letter)
            for one in figure.panels
        ]
        svg = example_figure(drawn, figure.columns, name)
        told = " ".join(_told(panel) for panel in figure.panels)
        blocks.append(
            Figure(
                name=name,
                svg=svg,
                alt=f"{plural(len(drawn), 'example image')}: {_sentence(figure.title)} {told}",
                caption=f"{_sentence(figure.title)} {told}{_drawn_on(figure.panels)}",
                width=760 if len(drawn) > 1 else 480,
            )
        )
    if blocks:
        blocks.insert(0, Paragraph(_CHOSEN))
    return Section("examples", "Example images", blocks)


def _sentence(text: str) -> str:
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text.rstrip()}."


def _told(panel: ExamplePanel) -> str:
    window = ""
    if panel.window is not None:
        low, high = panel.window
        unit = " HU" if panel.modality == "CT" else ""
        window = f" Grey values {number(low, 0)} to {number(high, 0)}{unit}."
    return f"({panel.letter}) {_sentence(panel.caption)}{window}"


def _drawn_on(panels: Sequence[ExamplePanel]) -> str:
    outlined = any(one.mask is not None or one.polygon for one in panels)
    bar = any(one.spacing is not None for one in panels)
    return (
        " Yellow: outline of the region." * outlined + " White bar: a scale, with its length." * bar
    )
