"""Models: compositions of layers and nothing else, one model a file."""
