"""What is missing of a photo: masks as people have them, found, read and shaped."""
