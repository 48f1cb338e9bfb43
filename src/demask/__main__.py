"""`python -m demask` is the `demask` command."""

from demask.cli import main

main()
