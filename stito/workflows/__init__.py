"""From files to a folder: what each command does, and what it leaves on disk."""
