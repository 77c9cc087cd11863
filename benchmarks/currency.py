"""The settings of the features from the currency, the one history of the sample games."""

from churnlib.settings import Settings
from churnlib.settings.history_features import CURRENCY, HistoryFeatures


def currency_settings(settings: Settings) -> HistoryFeatures:
    """The features from the currency that a game asks for.

    Raises:
        TypeError: They are not those of a history, which does not happen in sample data.
    """
    features = settings.features.tables[CURRENCY]
    if not isinstance(features, HistoryFeatures):
        raise TypeError(f"{CURRENCY} is no history")
    return features
