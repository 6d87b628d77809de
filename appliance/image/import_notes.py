"""What users see on an image while it is imported: which stores are still to come, and which have failed."""

from collections.abc import Iterable

from appliance.db.database import Tx
from appliance.db.images import ImageRecord, ImageRows
from appliance.image.model import FAILED_IMPORT, IMPORTING_TO


def announce(tx: Tx, rows: ImageRows, image: ImageRecord, stores: Iterable[str]) -> None:
    """An import to these stores begins: what failed there before no longer counts."""
    wanted = list(stores)
    failed = [store for store in _names(image.properties.get(FAILED_IMPORT)) if store not in wanted]
    rows.put_properties(tx, image.id, {IMPORTING_TO: ",".join(wanted), FAILED_IMPORT: ",".join(failed)})


def cross_off(tx: Tx, rows: ImageRows, image_id: str, ended: Iterable[str], failed: Iterable[str] = ()) -> None:
    """These stores have ended, some of them in failure. Does nothing to an image that nothing was announced on."""
    noted = rows.properties_in(tx, image_id, (IMPORTING_TO, FAILED_IMPORT))
    if not noted:
        return
    over = set(ended)
    importing = [store for store in _names(noted.get(IMPORTING_TO)) if store not in over]
    failures = dict.fromkeys([*_names(noted.get(FAILED_IMPORT)), *failed])
    rows.put_properties(tx, image_id, {IMPORTING_TO: ",".join(importing), FAILED_IMPORT: ",".join(failures)})


def _names(text: str | None) -> list[str]:
    return [name for name in (text or "").split(",") if name]
