def add_event_features(*a, **k):
    raise NotImplementedError
