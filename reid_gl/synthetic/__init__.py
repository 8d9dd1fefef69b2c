"""People rendered as six bad cameras would see them, written in Market-1501 layout."""
