"""A photo comes back as it was: files of any kind read, repaired in their own colours, and written again."""
