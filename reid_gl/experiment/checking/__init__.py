"""Is a data set fit to train and to score: what is said of it, and a page to look at."""
