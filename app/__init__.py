"""What people touch: command line, photo repair, figures."""
