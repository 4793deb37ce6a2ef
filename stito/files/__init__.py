"""Documents and folders on disk: files that appear whole or not at all, errors with a line, one writer at a time."""
