"""From samples to batches: decoding, preprocessing, augmentation, sampling."""
