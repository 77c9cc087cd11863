def add_calendar(rows, calendar, *, day):
    return rows
