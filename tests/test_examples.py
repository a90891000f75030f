"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import pytest

import ossian

MODULES = [module.name for module in pkgutil.walk_packages(ossian.__path__, "ossian.") if "__main__" not in module.name]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
