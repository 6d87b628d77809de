"""The layers: which module may import which, enforced by reading the imports. Each failure says why."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "appliance"
MODULES = sorted(PACKAGE.rglob("*.py"))

# name → (layer, what it may import beside itself, why). A package stands for all of its modules.
LAYERS: dict[str, tuple[int, set[str], str]] = {}
BASE = {"errors", "lazy", "values", "settings", "setting_sources", "logs", "patterns", "drivers", ""}
STORE = {"db", "blobs", "datadir"}
DOMAIN = {"image", "identity", "policy", "fleet"}
for _name in ("errors", "lazy", "values", "settings", "logs", "patterns", "drivers", ""):
    LAYERS[_name] = (0, {"errors", "values"}, "layer 0 imports the standard library alone")
LAYERS[""] = (0, {"lazy"}, "the package says what is loaded late")
LAYERS["setting_sources"] = (0, {"errors", "values", "settings"}, "it reads what the settings declare")
LAYERS["datadir"] = (1, BASE, "the directory and its lock are plain files")
LAYERS["db"] = (1, BASE | {"blobs"}, "rows know only layer 0 and the Protocols that blobs/ defines for its index")
LAYERS["blobs"] = (1, BASE, "bytes know no rows: what they need from an index is a Protocol")
LAYERS["policy"] = (2, BASE, "rules know neither what they are about nor who asks")
LAYERS["activity"] = (2, BASE | STORE, "what happens is told of, whoever does it: the caller arrives as a plain value")
LAYERS["image"] = (2, BASE | STORE | {"policy"}, "images don't know identity: the caller arrives as a plain value")
LAYERS["identity"] = (2, BASE | STORE | {"policy"}, "identity does not know images")
LAYERS["fleet"] = (2, BASE | STORE | {"image"}, "a fleet moves images, which know nothing of it")
LAYERS["nodes"] = (2, BASE | STORE, "who is there and what they share; it knows neither images nor users")
LAYERS["api"] = (
    3,
    BASE | STORE | DOMAIN | {"activity", "nodes"},
    "a dialect translates; it knows no server and no wiring",
)
LAYERS["server"] = (4, BASE, "the server knows HTTP, not Glance")
for _name in ("jobs", "maintenance"):
    LAYERS[_name] = (
        4,
        BASE | STORE | DOMAIN | {"activity", "nodes"},
        "background work is beside the API, not on top of it",
    )
LAYERS["client_files"] = (1, BASE | {"blobs", "datadir"}, "two plain files, which the client changes too")
LAYERS["certificates"] = (1, BASE | {"blobs"}, "an authority is four files")
LAYERS["https"] = (5, set(LAYERS), "the settings of the server's encryption, and the job that renews it")
LAYERS["ports"] = (5, set(LAYERS), "the ports are where the server meets the services")
LAYERS["services"] = (5, set(LAYERS), "the services are made of all that is open")
LAYERS["startup"] = (5, set(LAYERS), "what the first start does may touch all that it starts")
LAYERS["wiring"] = (5, set(LAYERS), "the composition root sees all but the command line")
LAYERS["cli"] = (5, set(LAYERS) | {"wiring"}, "the command line sees all")
LAYERS["__main__"] = (5, {"cli"}, "the entry only calls the command line")

ONLY_UNDER = {
    "sqlite3": ("db/",),
    "sqlite_utils": ("db/",),
    "psycopg": ("db/engine/",),
    "psycopg_pool": ("db/engine/",),
    "bottle": ("api/",),
    "waitress": ("server/",),
    "obstore": ("blobs/backends/s3.py",),
    "jwt": ("identity/tokens/keyring.py", "identity/federation/openid.py"),
}
ONLY_IN_ONE_FILE = {"lz4": "blobs/", "zstandard": "blobs/", "blake3": "blobs/"}
DURABLE_CALLS = re.compile(r"\bos\.(fsync|fdatasync|replace|rename)\b")


def package_of(module: Path) -> str:
    relative = module.relative_to(PACKAGE)
    if len(relative.parts) > 1:
        return relative.parts[0]
    return "" if relative.stem == "__init__" else relative.stem


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


@cache
def imports_of(module: Path) -> list[tuple[str, int, bool]]:
    """(dotted name, line, whether it is at the top level) of every import of a file."""
    tree = tree_of(module)
    top = {id(node) for node in [*tree.body, *_type_checking(tree)]}
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively; name the module in full"
            base = node.module or ""
            names = [f"{base}.{alias.name}" if base == "appliance" else base for alias in node.names]
        if names:
            assert isinstance(node, ast.stmt)
            found += [(name, node.lineno, id(node) in top) for name in names]
    return found


def _type_checking(tree: ast.Module) -> list[ast.stmt]:
    return [
        node
        for block in tree.body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in block.body
    ]


def name_of(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_layer_allows(module: Path) -> None:
    package = package_of(module)
    assert package in LAYERS, f"{name_of(module)} belongs to no layer; add it to the table with a reason"
    layer, allowed, reason = LAYERS[package]
    for name, line, top in imports_of(module):
        assert top, f"{name_of(module)}:{line} hides the import of {name} in a block; cycles are solved, not hidden"
        if name.split(".")[0] != "appliance":
            continue
        target = (name.split(".") + [""])[1]
        target = "" if target == "__version__" else target
        assert target == package or target in allowed, (
            f"{name_of(module)}:{line} (layer {layer}) imports {target}: {reason}"
        )


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_each_library_is_imported_in_one_place(module: Path) -> None:
    relative = module.relative_to(PACKAGE).as_posix()
    for name, line, _ in imports_of(module):
        top = name.split(".")[0]
        homes = ONLY_UNDER.get(top)
        assert homes is None or relative.startswith(homes), f"{relative}:{line}: {top} is only for {homes}"


@pytest.mark.parametrize("library", sorted(ONLY_IN_ONE_FILE))
def test_a_guarded_library_is_imported_by_one_file(library: str) -> None:
    users = [name_of(module) for module in MODULES if any(n.split(".")[0] == library for n, _, _ in imports_of(module))]
    assert len(users) <= 1, f"{library} is imported by {users}; keep it behind one file"
    assert all(user.startswith(ONLY_IN_ONE_FILE[library]) for user in users), users


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_only_durable_makes_things_durable(module: Path) -> None:
    if name_of(module) == "blobs/durable.py":
        return
    found = DURABLE_CALLS.findall(module.read_text())
    assert not found, f"{name_of(module)} calls os.{found[0]}; durability has one home, blobs/durable.py"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_has_a_docstring_and_stays_small(module: Path) -> None:
    text = module.read_text()
    assert ast.get_docstring(tree_of(module)), f"{name_of(module)} does not say what it is for"
    assert len(text.splitlines()) <= 500, f"{name_of(module)} has over 500 lines: it is two modules"


def test_modules_form_no_cycle() -> None:
    names = {
        "appliance." + name_of(m).removesuffix(".py").replace("/", ".").removesuffix(".__init__"): m for m in MODULES
    }
    edges = {
        name: {target for target, _, _ in imports_of(module) if target in names and target != name}
        for name, module in names.items()
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "import cycle: " + " → ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for target in sorted(edges[name]):
            visit(target, (*path, name))
        done.add(name)

    for name in sorted(names):
        visit(name, ())
