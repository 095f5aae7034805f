"""`photomend prepare`: photos from anywhere become a data set on the disk, which survives a kill halfway.

A `stream` brings the photos, from a folder, from `pairs` or from a dataset on the `hub` (`hub_stream`). `prepare` reads
it and adds rows to the `unfinished` data set, which writes its files (`prepared`), keeps a
journal and is locked meanwhile.
"""
