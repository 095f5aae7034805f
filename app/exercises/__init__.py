"""Exercises: write a backward pass yourself, and have it checked.

`catalogue.py` lists them in course order, `solutions/` holds the textbook answers, and `checks/` what each is asked.
`process.py` runs a learner's file in a process of its own, `file.py` writes and reads such files.
"""
