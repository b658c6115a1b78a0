"""What every command and the service check before they work in a home."""

from __future__ import annotations

from ml.home import Home
from ml.integrity.home_layout import open_layout
from ml.integrity.sqlite_files import require_sound_sqlite
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.pseudonyms import Pseudonyms

STATE_REMEDY = "run `tessera rebuild-state`, which rebuilds it from the event log"


def open_home(home: Home) -> None:
    """Check the layout, the key and the erased ids of a home, and migrate an older layout.

    Raises:
        LayoutError: A newer version wrote the home.
        MissingKeyError: The key of the site is missing although it was used.
        DamagedFileError: One of these files is damaged.
    """
    open_layout(home)
    Pseudonyms(home.path).require_key()
    ErasedIds(home).refresh()


def require_sound_state(home: Home) -> None:
    """Check the online state that the service is about to open.

    Raises:
        DamagedFileError: The file is damaged.
    """
    require_sound_sqlite(home.state_db, STATE_REMEDY)
