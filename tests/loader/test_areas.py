# SPDX-License-Identifier: Apache-2.0
"""The table of which modules know the types of which packages."""

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

from pydumpd import standard
from pydumpd.standard.areas import AREAS, package_of


def test_table_is_what_the_modules_register():
    # In an interpreter of its own: here some are loaded already.
    script = """if True:
        import sys
        from importlib import import_module
        from pkgutil import iter_modules
        from pydumpd import standard
        for area in iter_modules(standard.__path__):
            before = dict(standard._registry)
            import_module("pydumpd.standard." + area.name)
            print(area.name, *(n for n in standard._registry if n not in before))
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8",
        env={"PYTHONPATH": ":".join(sys.path)}, check=True,
    )  # fmt: skip
    found = {}
    for line in done.stdout.splitlines():
        area, *names = line.split()
        if names:
            found[area] = {package_of(n) for n in names}
    assert found == {area: set(words.split()) for area, words in AREAS.items()}


def test_lookup_loads_what_it_takes():
    script = """if True:
        import sys
        from pydumpd import standard
        assert standard.lookup("shop.Order") is None and standard.lookup("int") is None
        assert not [m for m in sys.modules if m.startswith("pydumpd.standard.") and m[-1] == "_"]
        assert standard.lookup("decimal.Decimal").make and standard.lookup("decimal.X") is None
        assert "decimal" in sys.modules and "pydumpd.standard.datetime_" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": ":".join(sys.path)},
                   check=True)  # fmt: skip


def test_registry_is_of_all_areas():
    for area in iter_modules(standard.__path__):
        import_module("pydumpd.standard." + area.name)
    assert set(standard.registry()) == set(standard._registry)
    assert {package_of(n) for n in standard.registry()} == set(" ".join(AREAS.values()).split())
