"""The textbook answers. `photomend exercise start` writes one without its bodies, `solution` the whole of it.

They are what a learner would write, and use nothing of photomend. Each gradient is assigned to the barred name of what
it is the gradient of, and each value to `y`: the hints find the line, and the derivation above it, by that name.
"""
