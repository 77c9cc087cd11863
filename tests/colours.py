"""The contrast of colours, by WCAG 2.2."""

import re


def contrast(one: str, other: str) -> float:
    """The contrast of two opaque colours, such as `#1b2330` and `rgb(27, 35, 48)`."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of a colour."""
    if colour.startswith("#"):
        parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    else:
        assert colour.startswith("rgb(")
        parts = [int(part) for part in re.findall(r"\d+", colour)]
    shares = [part / 255 for part in parts]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in shares]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
