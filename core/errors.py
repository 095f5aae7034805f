"""The one family of errors that a user of photomend can cause and mend."""


class PhotomendError(Exception):
    """A mistake in what was asked for: one line that names the argument, the file and the value.

    The command line prints it as ``photomend: error: …`` and exits with 1; library code may catch it.
    Errors of shape, dtype and device inside the engine stay ``ValueError`` and ``TypeError``, as in PyTorch.
    """
