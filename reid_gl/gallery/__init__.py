"""Keep and search features: who was seen where."""

from reid_gl.gallery.engines.sqlite.sqlite_file import DamagedGalleryError
from reid_gl.gallery.gallery import Gallery
from reid_gl.gallery.interface.engine import GalleryStats, Verification
from reid_gl.gallery.interface.sightings import Match, Sighting
from reid_gl.gallery.tracklet_recorder import RecordedTracklet, TrackletRecorder

__all__ = [
    "DamagedGalleryError",
    "Gallery",
    "GalleryStats",
    "Match",
    "RecordedTracklet",
    "Sighting",
    "TrackletRecorder",
    "Verification",
]
