"""The pictures of a report: each from plain figures, with what it shows and how to read it."""
