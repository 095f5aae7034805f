"""Many photos repaired by one command: what is to be done, doing it, and saying what became of each."""
