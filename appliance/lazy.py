"""Modules that are loaded when something in them is first asked for, so that a start does not wait for them.

Whoever needs one imports it as any other module, at the top of the file, and names what it wants of it in the functions
that want it: `from appliance.api.legacy import versions`, and later `versions.Legacy(…)`. Taking a name out of it at
the import, or in an annotation that is not a string, loads it at once.
"""

import sys
import threading
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_waiting: dict[str, Loader] = {}
"""Modules that nobody has asked for anything yet, and who loads them."""
# One for all: a module that is being loaded may load others, in whatever order.
_loading = threading.RLock()


class _Deferred(ModuleType):
    """A module that is loaded by the first look at anything in it, and is an ordinary one from then on."""

    def __getattribute__(self, name: str) -> object:
        # What `import` itself looks at.
        if name != "__spec__":
            with _loading:
                _load(self)
        # Not super(): it is no `_Deferred` any more.
        return ModuleType.__getattribute__(self, name)


def _load(module: ModuleType) -> None:
    """Load it if it waits. What fails is tried again at the next look."""
    full = ModuleType.__getattribute__(module, "__name__")
    loader = _waiting.pop(full, None)
    if loader is None:
        return
    try:
        loader.exec_module(module)
    except BaseException:
        _waiting[full] = loader
        raise
    module.__class__ = ModuleType


class _Late(Loader):
    """Stands in for a module's loader until the module is asked for something."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        _waiting[module.__name__] = self._loader
        module.__class__ = _Deferred


class _Finder(MetaPathFinder):
    """Finds a deferred module as the others do, and has it loaded late."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self._names:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Late(spec.loader)
                return spec
        return None


def defer(*names: str) -> None:
    """From now on these modules, by their full names, are loaded at their first use."""
    sys.meta_path.insert(0, _Finder(names))
