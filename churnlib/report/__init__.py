"""Reports: what a run found, for terminals, programs and browsers."""
