"""Models: a pipeline from configuration, fitted, kept with its manifest, verified, applied."""
