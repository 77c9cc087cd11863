"""The steps that flows share."""
