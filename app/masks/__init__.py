"""What is missing of a photo: masks as people have them, found, read and shaped.

`choice.py` puts together all that a person said, with the files beside it: `pairing.py` finds a photo's mask in a
folder, `reading.py` reads it, `colours.py` finds what is transparent or of one colour, `damage.py` dust and scratches,
`paint.py` black paint, `shaping.py` inverts and grows masks, and `feather.py` blends a repair into the photo.
"""

#: How likely a mark on a scan has to be damage to be found, unless somebody says otherwise.
CERTAINTY = 0.7
