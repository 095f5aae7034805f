"""The commands of `photomend`, one file each."""
