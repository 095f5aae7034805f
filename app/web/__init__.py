"""The web page, `photomend app`: one process, one worker, and files that nobody else can read."""
