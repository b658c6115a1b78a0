"""A figure is drawn once, and as what it is."""

import io

from matplotlib.figure import Figure
from matplotlib.image import imread

from ml.pages.figure_images import DOTS_PER_INCH, draw_png


def drawn(colour: str) -> Figure:
    figure = Figure(figsize=(2, 1), facecolor=colour)
    figure.subplots().axis("off")
    return figure


def test_a_figure_is_drawn_once_in_its_size_and_colour(monkeypatch):
    red, blue = drawn("red"), drawn("blue")
    images = [draw_png(red), draw_png(blue)]
    monkeypatch.setattr(Figure, "savefig", None)
    assert [draw_png(red), draw_png(blue)] == images
    pixels = [imread(io.BytesIO(image)) for image in images]
    assert [each.shape[:2] for each in pixels] == [(DOTS_PER_INCH, 2 * DOTS_PER_INCH)] * 2
    assert [each[0, 0, :3].tolist() for each in pixels] == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
