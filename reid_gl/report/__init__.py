"""Results as tables, figures and HTML pages for people, and as JSON for programs."""
