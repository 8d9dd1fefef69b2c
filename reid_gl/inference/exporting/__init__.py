"""Write a network for other runtimes; `exported` opens such files."""
