"""What an appliance has to do as one node of a site, in one place: join, look after the others, take over new keys."""

from collections.abc import Callable
from pathlib import Path

from appliance.datadir import DataDir
from appliance.db.engine.base import Database
from appliance.nodes.keys import SharedKeys, SiteKey
from appliance.nodes.membership import Nodes
from appliance.settings import Settings


class Site:
    """The nodes and the keys that they share. An appliance that is alone has neither, and all of this does nothing."""

    def __init__(self, db: Database, settings: Settings, directory: DataDir) -> None:
        self.nodes = Nodes(db)
        self.nodes.expel_former()
        self.shared_key: bytes | None = None
        """What whoever counts wrong secrets with the other nodes has to have."""
        self._keys: SharedKeys | None = None
        self._reload: Callable[[], None] = lambda: None
        if self.nodes.is_shared:
            site_key = SiteKey(Path(settings.site_key_file))
            self.shared_key = site_key.throttle_key
            self._keys = SharedKeys(db, site_key, directory.keys)

    def take_keys(self) -> None:
        """Have the others' keys, if they have some, before any are made here."""
        if self._keys is not None:
            self._keys.refresh()

    def join(self, reload: Callable[[], None]) -> Callable[[], bool]:
        """Share the keys that are there by now. `reload` reads them again. Gives what looks for new ones."""
        self._reload = reload
        if self._keys is None:
            return lambda: False
        self._keys.join()
        return self._keys.refresh

    def reload_keys(self) -> None:
        """Take over what somebody has changed among the keys, here or at another node."""
        if self._keys is not None:
            self._keys.publish()
            self._keys.refresh()
        self._reload()

    def tend(self, recover: Callable[[], object]) -> None:
        """Look after the other nodes, and for new keys."""
        self.nodes.tend(recover)
        if self._keys is not None and self._keys.refresh():
            self._reload()
