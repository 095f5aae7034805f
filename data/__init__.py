"""Photos in, batches out: sources, masks, crops, splits and the prepared dataset."""
