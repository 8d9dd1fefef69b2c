"""A local web page over a gallery; `reid-gl browse` starts it."""
