"""Photos in, batches out: sources and streams, masks, crops, splits and the prepared dataset."""
