"""Processes whose customers pay or miss each month: short terms, renewals and misses in progress.

Nothing is decided at the start of a subscription. Each month the customer pays or misses. The
log-odds of a miss are the sum of

- a score of the subscription, from facts that are known at its start and remain;
- the character's pace, which changes from month to month and shows only in what the character does;
- the month of the year;
- the number of months missed in a row, so that the strongest sign is a miss in progress.

Three missed months in a row end the subscription, and its character all but stops playing. In the
month in which a term ends, the customer may begin another one. Without a signal, only the last of
these four and the term matter.

The true probability is exact, for the day of the start and for the first day of each month while
the subscription runs: given everything in the tables by then, `belief` has the probability of each
pace, and `recursion` that of churn within the horizon for each pace.
"""
