"""What a project's images take up, as its limits count it."""

from appliance.db.database import Database, Tx
from appliance.db.images import METADATA

# An image counts once for each location, and with what is written about it. Staged data counts while it waits, and
# while a copy runs.
_USAGE = f"""
WITH own AS (
    SELECT id, ifnull(size, 0) AS size, status, {METADATA} AS metadata,
           EXISTS (SELECT 1 FROM image_properties p WHERE p.image_id = i.id
                   AND p.name = 'os_glance_importing_to_stores' AND p.value <> '') AS copying
      FROM images i WHERE owner = :owner AND status NOT IN ('killed', 'pending_delete')
)
SELECT count(*) AS images,
       ifnull(sum(size * (SELECT count(*) FROM image_locations l WHERE l.image_id = own.id) + metadata), 0) AS stored,
       ifnull(sum(CASE WHEN status IN ('uploading', 'importing') OR copying THEN size ELSE 0 END), 0) AS staged,
       ifnull(sum(status IN ('saving', 'uploading', 'importing') OR copying), 0) AS uploading
  FROM own
"""


def usage(reader: Database | Tx, owner: str | None) -> dict[str, int]:
    """`images`, `stored` and `staged` bytes, and `uploading`: as the database stands, or a transaction sees it."""
    row = reader.row(_USAGE, {"owner": owner})
    assert row is not None
    return dict(row)
