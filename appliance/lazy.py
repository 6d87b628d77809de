"""Defers the loading of a module that some library imports and that is hardly ever used."""

import importlib.util
import sys


def defer(package: str, name: str) -> None:
    """From now on, `from package import name` gives a module that is loaded when something in it is first asked for."""
    full = f"{package}.{name}"
    spec = None if full in sys.modules else importlib.util.find_spec(full)
    if spec is None or spec.loader is None:
        return  # loaded already; or not there, which is for whoever imports it to find out
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    # An import looks here first. One that finds it in `sys.modules` asks for its state, which loads it.
    setattr(sys.modules[package], name, module)
