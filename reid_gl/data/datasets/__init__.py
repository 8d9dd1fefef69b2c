"""Published data sets and your own: from a root folder to samples, without opening images or downloading."""

from reid_gl.data.datasets.reading.cuhk03_extract import extract_cuhk03_images
from reid_gl.data.datasets.reading.market_layout import load_market_layout
from reid_gl.data.datasets.registry import LOADERS, load_dataset, load_datasets, register_dataset

__all__ = [
    "LOADERS",
    "extract_cuhk03_images",
    "load_dataset",
    "load_datasets",
    "load_market_layout",
    "register_dataset",
]
