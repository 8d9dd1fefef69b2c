"""Distance thresholds measured on labelled features."""
