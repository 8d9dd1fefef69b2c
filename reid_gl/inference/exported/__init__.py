"""Open networks that were exported to files of other runtimes."""
