"""Table of the example images of a study's figures."""

from __future__ import annotations

from pipeline.core.table_schema import COUNT, NUMBER, TEXT, Column, Table
from pipeline.core.words import Words

AS_STORED: Words = "where pixels are shown as they are stored"
NO_SPACING: Words = "where the file does not say it"


class ExampleImages(Table):
    """One row per panel of a figure of example images.

    Its pixels lie beside the table, in `<figure>-<panel>.png`, those of its mask in
    `<figure>-<panel>-mask.png`: as they are shown, searched for identity, without header and texts.
    """

    figure = Column(COUNT, "number of the figure, in the order of the option `figures`")
    title = Column(TEXT, "what the figure shows")
    columns = Column(COUNT, "panels side by side at most", unit="panels")
    panel = Column(COUNT, "number of the panel within its figure")
    letter = Column(TEXT, "letter in its corner")
    caption = Column(TEXT, "what the panel shows")
    kind = Column(TEXT, "format of its file", values=("PNG", "DICOM"))
    modality = Column(TEXT, "what a DICOM slice is of, such as CT", null="of a PNG")
    low = Column(NUMBER, "value that is shown black", unit="as stored: HU of a CT", null=AS_STORED)
    high = Column(NUMBER, "value that is shown white", unit="as stored: HU of a CT", null=AS_STORED)
    row_mm = Column(NUMBER, "distance of rows", unit="mm", null=NO_SPACING)
    column_mm = Column(NUMBER, "distance of columns", unit="mm", null=NO_SPACING)
    polygon = Column(
        TEXT,
        "corners of the outline as `x,y`, in pixels from the left and upper edge of what is shown",
        null="where none was given",
    )
    image_sha256 = Column(TEXT, "SHA-256 of the image's file as handed in")
    mask_sha256 = Column(TEXT, "SHA-256 of the mask's file", null="where none was given")
