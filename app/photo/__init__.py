"""A photo comes back as it was: files of any kind read, repaired in their own colours, and written again."""

import logging

for _library in ("tifffile", "netpbmfile", "glymur", "pyvips"):
    logging.getLogger(_library).addHandler(logging.NullHandler())  # what matters of it is raised as well
