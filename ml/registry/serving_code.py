"""The code that goes with a registered model: the modules of `ml` that answer with it, and their libraries.

A registered model is loaded where no checkout of Tessera is, so that its folder has to bring the code. All of `ml`
would bring the simulator, the experiments and the sources of events with every model.
"""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

import ml

_PACKAGE = "ml"
_ROOT = Path(ml.__file__).parent


@dataclass(frozen=True)
class ServingCode:
    """The code and the libraries that serving a model needs.

    Attributes:
        files: Source files below the folder of `ml`, relative to it.
        libraries: Names of the packages of other projects that these files import when they are loaded.
    """

    files: frozenset[Path]
    libraries: frozenset[str]

    @classmethod
    def of(cls, modules: Iterable[str]) -> ServingCode:
        """Follow the imports of modules.

        Args:
            modules: Dotted names of modules of `ml`, such as `ml.registry.served_model`.
        """
        files: dict[str, Path] = {}
        libraries: set[str] = set()
        waiting = list(modules)
        while waiting:
            module = waiting.pop()
            file = _file_of(module)
            if file is None or module in files:
                continue
            files[module] = file
            waiting.append(module.rpartition(".")[0])  # Python runs the folder's __init__ first
            for imported, when_loaded in _imports(ast.parse(file.read_text(encoding="utf-8")), when_loaded=True):
                top = imported.partition(".")[0]
                if top == _PACKAGE:
                    waiting.append(imported)
                elif when_loaded and top not in sys.stdlib_module_names:
                    libraries.add(top)
        return cls(frozenset(file.relative_to(_ROOT) for file in files.values()), frozenset(libraries))

    def copy_to(self, folder: Path) -> Path:
        """Copy the files into `folder/ml`.

        Returns:
            The folder `ml`.
        """
        for file in sorted(self.files):
            target = folder / _PACKAGE / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / file, target)
        return folder / _PACKAGE

    def requirements(self, further: Iterable[str] = ()) -> list[str]:
        """The libraries as pip installs them, at the versions that are installed here.

        Args:
            further: Names of packages that are needed beside those that the files import.
        """
        distributions = packages_distributions()
        names = {distributions[library][0] for library in {*self.libraries, *further}}
        return sorted(f"{name}=={version(name)}" for name in names)


def _file_of(module: str) -> Path | None:
    """The source of a dotted name, None where it names something inside a module."""
    if not module:
        return None
    path = _ROOT.parent.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def _imports(node: ast.AST, when_loaded: bool) -> Iterator[tuple[str, bool]]:
    """Imported names, and whether each import runs when the module is loaded.

    Imports for type checkers alone are left out.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, when_loaded) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module, when_loaded
            yield from ((f"{child.module}.{alias.name}", when_loaded) for alias in child.names)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, when_loaded and not inside)
