"""Command line: arguments, logging and exit codes only."""
