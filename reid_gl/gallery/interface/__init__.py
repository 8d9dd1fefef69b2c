"""What an engine must do, and the records that it takes and returns."""
