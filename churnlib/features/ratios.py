def add_ratios(rows, ratios):
    return rows
