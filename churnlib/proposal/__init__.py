"""The settings of a new game, proposed from a folder of files that nobody has prepared."""
