"""`python -m photomend` is the command `photomend`."""

from .app.cli import main

if __name__ == "__main__":
    main()
