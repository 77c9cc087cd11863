"""A game of which each day is known: logins, play time and purchases, besides three currencies.

Its tables and columns are its own, and have other names than those of the standard tables. As in
the other games, churn follows only from what the tables show on the day of a subscription's start:
logins up to the day before, since they arrive a day late, purchases up to the day itself, and the
balances of the month's first day. Logins and purchases depend on the character's engagement, never
on an outcome that is still to come; once the missed months of a churn begin, they all but stop.
"""
