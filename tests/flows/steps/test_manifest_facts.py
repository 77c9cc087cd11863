"""What a manifest says of earlier batches."""

from churnlib.io.datasets import DatasetRef
from churnlib.settings import TrainSettings
from flows.steps.manifest_facts import contact_facts
from tests.churnlib.model.samples import PIPELINES, training

CONTACTS = DatasetRef("contacts", "hawk", "contacts.parquet", "abc", 12)


def settings(contacted: str) -> TrainSettings:
    return training(*PIPELINES["boosting"], contacted=contacted)


def test_model_that_learns_from_contacts_names_them_among_its_inputs() -> None:
    named = {"contacts": {"fingerprint": "abc", "rows": 12}}
    assert contact_facts(CONTACTS, settings("keep")) == {}
    assert contact_facts(CONTACTS, settings("drop")) == named
    assert contact_facts(CONTACTS, settings("weight")) == named
