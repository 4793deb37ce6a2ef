"""`python -m stito`: the command line."""

from stito.cli import main

main()
