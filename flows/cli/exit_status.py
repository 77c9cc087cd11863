"""The exit statuses of all commands."""

DONE = 0
FAILED = 1
"""An error that is not due to the input or the configuration."""
USERS_FAULT = 2
"""The input or the configuration is wrong."""
DIFFERENT = 3
"""The predictions of a replayed model differ."""
STOPPED = 128
"""The command was stopped by a signal, the number of which is added: 130 after Ctrl-C, 143 after
SIGTERM."""
