"""Model versions: kept in folders, registered, compared, promoted and replayed."""
