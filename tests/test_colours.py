"""The contrast of colours, by which tests of pages judge them."""

import pytest

from tests.colours import contrast


def test_contrast_of_known_colours() -> None:
    assert contrast("#000000", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)
