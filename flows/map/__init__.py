"""The map of the pipelines, drawn from the code: what `python -m flows.map` writes."""
