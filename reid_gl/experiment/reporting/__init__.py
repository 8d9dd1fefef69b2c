"""The page of a report: what it says of runs, and its figures as files."""
