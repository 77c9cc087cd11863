"""The champion and its pointer."""

import json
from pathlib import Path
from typing import Any

import pytest

from churnlib.errors import ModelError
from churnlib.io.catalog import Catalog
from churnlib.versions.champion import champion, set_champion
from tests.churnlib.model.samples import save, usual


def test_champion_is_the_version_that_the_pointer_names(catalog: Catalog) -> None:
    models = {name: save(catalog.model(name), usual()) for name in ("v1", "v2")}
    for name in ("v1", "v2", "v1"):
        pointer = set_champion(catalog, name)
        assert json.loads(Path(pointer.uri).read_text()) == {"version": name}
        assert champion(catalog) == models[name]


def test_without_a_champion_the_message_says_how_to_train_one(catalog: Catalog) -> None:
    with pytest.raises(ModelError) as caught:
        champion(catalog)
    command = f"churn train --game hawk --data-dir {catalog.data_dir} --from-raw"
    assert str(caught.value).endswith(f"Train one: {command}")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "5", '"v1"'])
def test_damaged_pointer_is_refused(text: str, catalog: Catalog) -> None:
    pointer = Path(catalog.champion().uri)
    pointer.parent.mkdir(parents=True)
    pointer.write_text(text)
    with pytest.raises(ModelError, match=r"champion\.json is damaged"):
        champion(catalog)


@pytest.mark.parametrize("version", ["v7", 5, None])
def test_pointer_to_a_missing_version_is_refused(version: Any, catalog: Catalog) -> None:
    set_champion(catalog, version)
    with pytest.raises(ModelError, match=f"names the version '{version}', which cannot be read"):
        champion(catalog)
