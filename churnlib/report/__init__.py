"""Reports: what a run found, for terminals and for programs."""
